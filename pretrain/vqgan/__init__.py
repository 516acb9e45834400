"""Training a VQGAN: crops of open pictures, an averaged codebook, losses, figures."""
