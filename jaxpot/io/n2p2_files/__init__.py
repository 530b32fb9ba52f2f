"""The three kinds of file in a directory of n2p2 or RuNNer."""
