"""What a model does to answers and to its own quality, by changing what it is given or made of."""
