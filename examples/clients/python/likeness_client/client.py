"""What a person calls: the generated methods, and all persons without a cursor."""
from __future__ import annotations

from typing import AsyncIterator, Iterator, Optional

from . import types
from .calls import AsyncCalls, Calls


class Client(Calls):
    """Likeness, one request after the other."""

    def persons(self, *, tenant_id: Optional[str] = None) -> Iterator[types.PersonResponse]:
        """Everybody who is enrolled, page by page."""
        cursor = None
        while True:
            page = self.list_persons(tenant_id=tenant_id, cursor=cursor, limit=200)
            yield from page["persons"]
            cursor = page["next_cursor"]
            if cursor is None:
                return


class AsyncClient(AsyncCalls):
    """Likeness, without waiting."""

    async def persons(self, *, tenant_id: Optional[str] = None) -> AsyncIterator[types.PersonResponse]:
        """Everybody who is enrolled, page by page."""
        cursor = None
        while True:
            page = await self.list_persons(tenant_id=tenant_id, cursor=cursor, limit=200)
            for person in page["persons"]:
                yield person
            cursor = page["next_cursor"]
            if cursor is None:
                return
