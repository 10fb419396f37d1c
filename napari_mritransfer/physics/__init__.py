"""Image to k-space and back: Fourier transforms, sampling masks, undersampling. Operators, nothing else."""
