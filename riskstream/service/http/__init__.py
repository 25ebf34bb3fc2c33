"""The one HTTP port: who may ask (`guard`), and a file for each thing that is answered."""
