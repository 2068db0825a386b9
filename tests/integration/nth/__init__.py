"""The n-th call to the disk fails, for every n."""
