"""PyTorch's files: read without PyTorch and without executing anything, and written so that PyTorch
reads them.  :func:`pellucid.save` and :func:`pellucid.load` are their face."""
