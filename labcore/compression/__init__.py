"""Making a trained model smaller: fewer bits for each weight, fewer weights, a smaller student."""
