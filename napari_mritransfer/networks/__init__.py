"""Reconstruction networks: ``nn.Module`` classes only, no files and no training."""
