"""What a transfer may change: strategies for any ``nn.Module`` with convolutions and linear layers."""
