"""Named CLIP models: open_clip's `model_cfg` dictionaries. Names of open_clip's own work everywhere these do."""

from __future__ import annotations

from typing import Any

from clipguide.errors import UserError

MINI: dict[str, Any] = {
    "embed_dim": 512,
    "custom_text": True,
    "init_logit_scale": 3.4,  # 30: a start from aligned towers needs no soft beginning
    "vision_cfg": {
        "image_size": 128,
        "timm_model_name": "tf_efficientnet_lite0",
        "timm_model_pretrained": False,
        "timm_pool": "avg",
        "timm_proj": "linear",
        "timm_proj_bias": True,
    },
    "text_cfg": {
        "context_length": 64,
        "hf_model_name": "sentence-transformers/all-MiniLM-L6-v2",
        "hf_tokenizer_name": "sentence-transformers/all-MiniLM-L6-v2",
        "hf_model_pretrained": False,
        "hf_pooler_type": "mean_pooler",
        "hf_proj_type": "linear",
    },
}

MINI_B: dict[str, Any] = {
    "embed_dim": 384,
    "custom_text": True,
    "init_logit_scale": 3.0,
    "vision_cfg": {
        "image_size": 96,
        "timm_model_name": "resnet50_thin",
        "timm_model_pretrained": False,
        "timm_pool": "avg",
        "timm_proj": "linear",
        "timm_proj_bias": True,
    },
    "text_cfg": MINI["text_cfg"],
}

CONFIGS: dict[str, dict[str, Any]] = {"clip-mini": MINI, "clip-mini-b": MINI_B}
PREPROCESS = {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5], "interpolation": "bilinear", "resize_mode": "shortest"}


def model_config(name: str) -> dict[str, Any]:
    """The `model_cfg` of one of ours or of open_clip's models. Errors: UserError for an unknown name."""
    if name in CONFIGS:
        return CONFIGS[name]
    from clipguide.ops.vision_import import import_torchvision

    import_torchvision()
    import open_clip

    config = open_clip.get_model_config(name)
    if config is None:
        raise UserError(f"no model {name!r}; use one of {', '.join(CONFIGS)} or a name of open_clip.list_models()")
    return config
