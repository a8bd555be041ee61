"""The gallery index: catalog, immutable FAISS snapshots, search. Torch-free."""
