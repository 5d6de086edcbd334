"""`robovalue codes`: from exported code sequences to embeddings, clusters and pictures."""
