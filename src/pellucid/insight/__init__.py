"""Looking at runs and networks: reports, pictures, diagnosis."""
