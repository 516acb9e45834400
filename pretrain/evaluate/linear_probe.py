"""Linear probe: logistic regression on the image tower's features before their projection (Radford et al. 2021, 3.2).

The penalty is chosen on the validation part by the paper's search (seven decades, then halved around the best down to
an eighth of a decade); the last fit sees training and validation pictures.

How it misleads. A probe measures what can be read out of the features with many labels, not what the text tower can
name: a model can win here and lose zero-shot. On the shards the training pictures are those that the model itself was
trained on, drawn on grounds, while the test pictures are of another style and plain: it is a test of transfer between
styles. Without a validation part the penalty is chosen on a fifth of the training pictures: with few of them, by luck.
"""

from __future__ import annotations

from pretrain.evaluate import plots
from pretrain.evaluate.classes import read_task, trainable
from pretrain.evaluate.logistic import best, fit_chosen
from pretrain.evaluate.report import Report, Table
from pretrain.evaluate.suites import Job
from pretrain.evaluate.zero_shot import accuracy, prompts

COLUMNS = ("classifier", "classes", "trained on", "tested on", "penalty", "top-1", "top-5", "class mean")


def measure(job: Job) -> Report:
    """The probe beside zero-shot on the same pictures, and its accuracy over the penalties that were tried."""
    subject, task = job.subject, trainable(read_task(job))
    device = subject.encoder.device
    parts = [
        (subject.features(part).to(device), task.labels(part).to(device))
        for part in (task.train, task.validation, task.test)
    ]
    train, validation, test = parts
    classifier, tried = fit_chosen(train, validation, len(task.keys))
    shares = accuracy(classifier(test[0]), test[1])
    size = len(task.keys), len(task.train) + len(task.validation), len(task.test)
    rows = [("linear probe", *size, f"1e{best(tried):+.2f}", *shares)]
    images, labels = subject.images(task.test), task.labels(task.test)
    for prompt, texts in prompts(subject, task).items():
        rows.append((f"zero-shot, {prompt}", size[0], 0, size[2], "", *accuracy(images @ texts.T, labels)))
    table = Table(f"linear probe{task.note}", COLUMNS, rows, __doc__.partition("How it misleads. ")[2])
    return Report([table], {"penalty": plots.penalties(tried, best(tried))})
