"""A client of Likeness: `Client`, and `AsyncClient` with the same methods."""
from .client import AsyncClient, Client
from .transport import ModelMismatch, Photograph, Problem

__all__ = ["AsyncClient", "Client", "ModelMismatch", "Photograph", "Problem"]
