"""A client of Likeness: `Client`, and `AsyncClient` with the same methods."""
from .client import AsyncClient, Client
from .transport import Photograph, Problem

__all__ = ["AsyncClient", "Client", "Photograph", "Problem"]
