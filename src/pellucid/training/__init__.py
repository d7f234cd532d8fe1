"""Training: the Trainer, its settings, figures, baselines and run folders."""
