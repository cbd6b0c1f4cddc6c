"""torch.optim.lr_scheduler: its objects read, its code written."""
