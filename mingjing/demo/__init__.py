"""The demo centre: an invented hall with a believable past, a simulated working day and simulated cameras."""
