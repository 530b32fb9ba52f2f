"""Readers and writers of the three kinds of files in a directory of n2p2 or RuNNer."""
