"""Written by tools/clients from docs/openapi.json: change that, or the script."""
from __future__ import annotations

from typing import Any, List, Optional, cast

from . import types
from .transport import AsyncTransport, Photograph, Transport


class Calls(Transport):
    """One method for each operation."""

    def begin_capture(self, *, purpose: str, tenant_id: Optional[str] = None, user_id: Optional[str] = None) -> types.CaptureResponse:
        """Begins a capture."""
        return cast(types.CaptureResponse, self.json("POST", "/api/v1/captures", form={"purpose": purpose, "tenant_id": tenant_id, "user_id": user_id}))

    def compare(self, *, file1: Photograph, file2: Photograph, threshold: Optional[float] = None) -> types.CompareResponse:
        """Compares two photographs."""
        return cast(types.CompareResponse, self.json("POST", "/api/v1/compare", query={"threshold": threshold}, file={"file1": file1, "file2": file2}))

    def deepface(self) -> types.Greeting:
        """Returns the name and the version of the service."""
        return cast(types.Greeting, self.json("GET", "/deepface/"))

    def deepface_represent(self, *, img: Photograph, align: Optional[str] = None, anti_spoofing: Optional[str] = None, detector_backend: Optional[str] = None, enforce_detection: Optional[str] = None, max_faces: Optional[str] = None, model_name: Optional[str] = None) -> types.DeepfaceRepresented:
        """Embeds every face of a photograph."""
        return cast(types.DeepfaceRepresented, self.json("POST", "/deepface/represent", form={"align": align, "anti_spoofing": anti_spoofing, "detector_backend": detector_backend, "enforce_detection": enforce_detection, "max_faces": max_faces, "model_name": model_name}, file={"img": img}))

    def deepface_verify(self, *, img1: Photograph, img2: Photograph, align: Optional[str] = None, anti_spoofing: Optional[str] = None, detector_backend: Optional[str] = None, distance_metric: Optional[str] = None, enforce_detection: Optional[str] = None, model_name: Optional[str] = None) -> types.DeepfaceVerified:
        """Compares two photographs by DeepFace's own rule: all pairs of faces, the smallest distance."""
        return cast(types.DeepfaceVerified, self.json("POST", "/deepface/verify", form={"align": align, "anti_spoofing": anti_spoofing, "detector_backend": detector_backend, "distance_metric": distance_metric, "enforce_detection": enforce_detection, "model_name": model_name}, file={"img1": img1, "img2": img2}))

    def delete_enrollment(self, *, user_id: str, tenant_id: Optional[str] = None) -> types.DeleteResponse:
        """Deletes a person."""
        return cast(types.DeleteResponse, self.json("DELETE", "/api/v1/enroll/{user_id}".replace("{user_id}", self.part(user_id)), query={"tenant_id": tenant_id}))

    def detect_all(self, *, file: Photograph, max_faces: Optional[int] = None) -> types.DetectResponse:
        """Finds every face."""
        return cast(types.DetectResponse, self.json("POST", "/api/v1/faces/detect-all", query={"max_faces": max_faces}, file={"file": file}))

    def enroll(self, *, file: Photograph, user_id: str, idempotency_key: Optional[str] = None, capture_id: Optional[str] = None, consent_given_at: Optional[str] = None, consent_reference: Optional[str] = None, consent_version: Optional[str] = None, expires_at: Optional[str] = None, replace: Optional[bool] = None, tenant_id: Optional[str] = None) -> types.EnrollResponse:
        """Enrols a person."""
        return cast(types.EnrollResponse, self.json("POST", "/api/v1/enroll", header={"Idempotency-Key": idempotency_key}, form={"user_id": user_id, "capture_id": capture_id, "consent_given_at": consent_given_at, "consent_reference": consent_reference, "consent_version": consent_version, "expires_at": expires_at, "replace": replace, "tenant_id": tenant_id}, file={"file": file}))

    def enroll_multi(self, *, files: List[Photograph], user_id: str, idempotency_key: Optional[str] = None, consent_given_at: Optional[str] = None, consent_reference: Optional[str] = None, consent_version: Optional[str] = None, expires_at: Optional[str] = None, replace: Optional[bool] = None, tenant_id: Optional[str] = None) -> types.EnrollMultiResponse:
        """Enrols a person by several photographs."""
        return cast(types.EnrollMultiResponse, self.json("POST", "/api/v1/enroll/multi", header={"Idempotency-Key": idempotency_key}, form={"user_id": user_id, "consent_given_at": consent_given_at, "consent_reference": consent_reference, "consent_version": consent_version, "expires_at": expires_at, "replace": replace, "tenant_id": tenant_id}, file={"files": files}))

    def erase_person(self, *, user_id: str, tenant_id: Optional[str] = None) -> types.ErasedResponse:
        """Erases a person."""
        return cast(types.ErasedResponse, self.json("DELETE", "/api/v1/persons/{user_id}".replace("{user_id}", self.part(user_id)), query={"tenant_id": tenant_id}))

    def export_person(self, *, user_id: str, tenant_id: Optional[str] = None) -> types.ExportResponse:
        """Returns all data that is stored about a person."""
        return cast(types.ExportResponse, self.json("GET", "/api/v1/persons/{user_id}/export".replace("{user_id}", self.part(user_id)), query={"tenant_id": tenant_id}))

    def get_erasure(self, *, erasure_id: str) -> types.ErasureResponse:
        """Returns the state of an erasure."""
        return cast(types.ErasureResponse, self.json("GET", "/api/v1/erasures/{erasure_id}".replace("{erasure_id}", self.part(erasure_id))))

    def get_person(self, *, user_id: str, tenant_id: Optional[str] = None) -> types.OnePersonResponse:
        """Returns one person."""
        return cast(types.OnePersonResponse, self.json("GET", "/api/v1/persons/{user_id}".replace("{user_id}", self.part(user_id)), query={"tenant_id": tenant_id}))

    def guide(self, *, file: Photograph, liveness: Optional[bool] = None) -> types.FrameResponse:
        """Guides the person in front of a camera."""
        return cast(types.FrameResponse, self.json("POST", "/api/v1/frames", form={"liveness": liveness}, file={"file": file}))

    def health(self) -> types.HealthResponse:
        """Reports which routes work now, and which models the other routes lack."""
        return cast(types.HealthResponse, self.json("GET", "/api/v1/health"))

    def health_detailed(self) -> Any:
        """Reports health, with the load of the service."""
        return self.json("GET", "/api/v1/health/detailed")

    def health_live(self) -> Any:
        """Checks that the process responds."""
        return self.json("GET", "/api/v1/health/live")

    def health_ready(self) -> Any:
        """Reports whether the service accepts traffic: the status of health, or 503 once the service has begun to end."""
        return self.json("GET", "/api/v1/health/ready")

    def inspect(self, *, file: Photograph, file2: Optional[Photograph] = None) -> types.InspectResponse:
        """Returns the inputs and results of the networks."""
        return cast(types.InspectResponse, self.json("POST", "/api/v1/inspect", file={"file": file, "file2": file2}))

    def list_persons(self, *, tenant_id: Optional[str] = None, cursor: Optional[str] = None, limit: Optional[int] = None) -> types.PersonsResponse:
        """Lists the enrolled persons."""
        return cast(types.PersonsResponse, self.json("GET", "/api/v1/persons", query={"tenant_id": tenant_id, "cursor": cursor, "limit": limit}))

    def list_tenants(self) -> types.TenantsResponse:
        """Lists the tenants with the number of their persons."""
        return cast(types.TenantsResponse, self.json("GET", "/api/v1/tenants"))

    def liveness(self, *, file: Photograph, capture_id: Optional[str] = None, tenant_id: Optional[str] = None) -> types.LivenessResponse:
        """Judges whether the one face of a photograph is live."""
        return cast(types.LivenessResponse, self.json("POST", "/api/v1/liveness", form={"capture_id": capture_id, "tenant_id": tenant_id}, file={"file": file}))

    def metrics(self) -> str:
        """Returns all metrics."""
        return self.text("GET", "/metrics")

    def models_statement(self) -> types.StatementResponse:
        """Returns which models this process verified and loaded, as an in-toto statement."""
        return cast(types.StatementResponse, self.json("GET", "/api/v1/models/statement"))

    def record(self, *, id: str) -> types.RecordResponse:
        """Returns a decision record by the id in the response header `X-Likeness-Record`."""
        return cast(types.RecordResponse, self.json("GET", "/api/v1/records/{id}".replace("{id}", self.part(id))))

    def search(self, *, file: Photograph, max_results: Optional[int] = None, tenant_id: Optional[str] = None, threshold: Optional[float] = None) -> types.SearchResponse:
        """Searches a tenant's persons."""
        return cast(types.SearchResponse, self.json("POST", "/api/v1/search", form={"max_results": max_results, "tenant_id": tenant_id, "threshold": threshold}, file={"file": file}))

    def send_frame(self, *, capture_id: str, file: Photograph, previous: str) -> types.CaptureResponse:
        """Takes a frame of a capture."""
        return cast(types.CaptureResponse, self.json("POST", "/api/v1/captures/{capture_id}/frames".replace("{capture_id}", self.part(capture_id)), form={"previous": previous}, file={"file": file}))

    def verify(self, *, file: Photograph, user_id: str, capture_id: Optional[str] = None, tenant_id: Optional[str] = None) -> types.VerifyResponse:
        """Verifies a person."""
        return cast(types.VerifyResponse, self.json("POST", "/api/v1/verify", form={"user_id": user_id, "capture_id": capture_id, "tenant_id": tenant_id}, file={"file": file}))


class AsyncCalls(AsyncTransport):
    """One method for each operation."""

    async def begin_capture(self, *, purpose: str, tenant_id: Optional[str] = None, user_id: Optional[str] = None) -> types.CaptureResponse:
        """Begins a capture."""
        return cast(types.CaptureResponse, await self.json("POST", "/api/v1/captures", form={"purpose": purpose, "tenant_id": tenant_id, "user_id": user_id}))

    async def compare(self, *, file1: Photograph, file2: Photograph, threshold: Optional[float] = None) -> types.CompareResponse:
        """Compares two photographs."""
        return cast(types.CompareResponse, await self.json("POST", "/api/v1/compare", query={"threshold": threshold}, file={"file1": file1, "file2": file2}))

    async def deepface(self) -> types.Greeting:
        """Returns the name and the version of the service."""
        return cast(types.Greeting, await self.json("GET", "/deepface/"))

    async def deepface_represent(self, *, img: Photograph, align: Optional[str] = None, anti_spoofing: Optional[str] = None, detector_backend: Optional[str] = None, enforce_detection: Optional[str] = None, max_faces: Optional[str] = None, model_name: Optional[str] = None) -> types.DeepfaceRepresented:
        """Embeds every face of a photograph."""
        return cast(types.DeepfaceRepresented, await self.json("POST", "/deepface/represent", form={"align": align, "anti_spoofing": anti_spoofing, "detector_backend": detector_backend, "enforce_detection": enforce_detection, "max_faces": max_faces, "model_name": model_name}, file={"img": img}))

    async def deepface_verify(self, *, img1: Photograph, img2: Photograph, align: Optional[str] = None, anti_spoofing: Optional[str] = None, detector_backend: Optional[str] = None, distance_metric: Optional[str] = None, enforce_detection: Optional[str] = None, model_name: Optional[str] = None) -> types.DeepfaceVerified:
        """Compares two photographs by DeepFace's own rule: all pairs of faces, the smallest distance."""
        return cast(types.DeepfaceVerified, await self.json("POST", "/deepface/verify", form={"align": align, "anti_spoofing": anti_spoofing, "detector_backend": detector_backend, "distance_metric": distance_metric, "enforce_detection": enforce_detection, "model_name": model_name}, file={"img1": img1, "img2": img2}))

    async def delete_enrollment(self, *, user_id: str, tenant_id: Optional[str] = None) -> types.DeleteResponse:
        """Deletes a person."""
        return cast(types.DeleteResponse, await self.json("DELETE", "/api/v1/enroll/{user_id}".replace("{user_id}", self.part(user_id)), query={"tenant_id": tenant_id}))

    async def detect_all(self, *, file: Photograph, max_faces: Optional[int] = None) -> types.DetectResponse:
        """Finds every face."""
        return cast(types.DetectResponse, await self.json("POST", "/api/v1/faces/detect-all", query={"max_faces": max_faces}, file={"file": file}))

    async def enroll(self, *, file: Photograph, user_id: str, idempotency_key: Optional[str] = None, capture_id: Optional[str] = None, consent_given_at: Optional[str] = None, consent_reference: Optional[str] = None, consent_version: Optional[str] = None, expires_at: Optional[str] = None, replace: Optional[bool] = None, tenant_id: Optional[str] = None) -> types.EnrollResponse:
        """Enrols a person."""
        return cast(types.EnrollResponse, await self.json("POST", "/api/v1/enroll", header={"Idempotency-Key": idempotency_key}, form={"user_id": user_id, "capture_id": capture_id, "consent_given_at": consent_given_at, "consent_reference": consent_reference, "consent_version": consent_version, "expires_at": expires_at, "replace": replace, "tenant_id": tenant_id}, file={"file": file}))

    async def enroll_multi(self, *, files: List[Photograph], user_id: str, idempotency_key: Optional[str] = None, consent_given_at: Optional[str] = None, consent_reference: Optional[str] = None, consent_version: Optional[str] = None, expires_at: Optional[str] = None, replace: Optional[bool] = None, tenant_id: Optional[str] = None) -> types.EnrollMultiResponse:
        """Enrols a person by several photographs."""
        return cast(types.EnrollMultiResponse, await self.json("POST", "/api/v1/enroll/multi", header={"Idempotency-Key": idempotency_key}, form={"user_id": user_id, "consent_given_at": consent_given_at, "consent_reference": consent_reference, "consent_version": consent_version, "expires_at": expires_at, "replace": replace, "tenant_id": tenant_id}, file={"files": files}))

    async def erase_person(self, *, user_id: str, tenant_id: Optional[str] = None) -> types.ErasedResponse:
        """Erases a person."""
        return cast(types.ErasedResponse, await self.json("DELETE", "/api/v1/persons/{user_id}".replace("{user_id}", self.part(user_id)), query={"tenant_id": tenant_id}))

    async def export_person(self, *, user_id: str, tenant_id: Optional[str] = None) -> types.ExportResponse:
        """Returns all data that is stored about a person."""
        return cast(types.ExportResponse, await self.json("GET", "/api/v1/persons/{user_id}/export".replace("{user_id}", self.part(user_id)), query={"tenant_id": tenant_id}))

    async def get_erasure(self, *, erasure_id: str) -> types.ErasureResponse:
        """Returns the state of an erasure."""
        return cast(types.ErasureResponse, await self.json("GET", "/api/v1/erasures/{erasure_id}".replace("{erasure_id}", self.part(erasure_id))))

    async def get_person(self, *, user_id: str, tenant_id: Optional[str] = None) -> types.OnePersonResponse:
        """Returns one person."""
        return cast(types.OnePersonResponse, await self.json("GET", "/api/v1/persons/{user_id}".replace("{user_id}", self.part(user_id)), query={"tenant_id": tenant_id}))

    async def guide(self, *, file: Photograph, liveness: Optional[bool] = None) -> types.FrameResponse:
        """Guides the person in front of a camera."""
        return cast(types.FrameResponse, await self.json("POST", "/api/v1/frames", form={"liveness": liveness}, file={"file": file}))

    async def health(self) -> types.HealthResponse:
        """Reports which routes work now, and which models the other routes lack."""
        return cast(types.HealthResponse, await self.json("GET", "/api/v1/health"))

    async def health_detailed(self) -> Any:
        """Reports health, with the load of the service."""
        return await self.json("GET", "/api/v1/health/detailed")

    async def health_live(self) -> Any:
        """Checks that the process responds."""
        return await self.json("GET", "/api/v1/health/live")

    async def health_ready(self) -> Any:
        """Reports whether the service accepts traffic: the status of health, or 503 once the service has begun to end."""
        return await self.json("GET", "/api/v1/health/ready")

    async def inspect(self, *, file: Photograph, file2: Optional[Photograph] = None) -> types.InspectResponse:
        """Returns the inputs and results of the networks."""
        return cast(types.InspectResponse, await self.json("POST", "/api/v1/inspect", file={"file": file, "file2": file2}))

    async def list_persons(self, *, tenant_id: Optional[str] = None, cursor: Optional[str] = None, limit: Optional[int] = None) -> types.PersonsResponse:
        """Lists the enrolled persons."""
        return cast(types.PersonsResponse, await self.json("GET", "/api/v1/persons", query={"tenant_id": tenant_id, "cursor": cursor, "limit": limit}))

    async def list_tenants(self) -> types.TenantsResponse:
        """Lists the tenants with the number of their persons."""
        return cast(types.TenantsResponse, await self.json("GET", "/api/v1/tenants"))

    async def liveness(self, *, file: Photograph, capture_id: Optional[str] = None, tenant_id: Optional[str] = None) -> types.LivenessResponse:
        """Judges whether the one face of a photograph is live."""
        return cast(types.LivenessResponse, await self.json("POST", "/api/v1/liveness", form={"capture_id": capture_id, "tenant_id": tenant_id}, file={"file": file}))

    async def metrics(self) -> str:
        """Returns all metrics."""
        return await self.text("GET", "/metrics")

    async def models_statement(self) -> types.StatementResponse:
        """Returns which models this process verified and loaded, as an in-toto statement."""
        return cast(types.StatementResponse, await self.json("GET", "/api/v1/models/statement"))

    async def record(self, *, id: str) -> types.RecordResponse:
        """Returns a decision record by the id in the response header `X-Likeness-Record`."""
        return cast(types.RecordResponse, await self.json("GET", "/api/v1/records/{id}".replace("{id}", self.part(id))))

    async def search(self, *, file: Photograph, max_results: Optional[int] = None, tenant_id: Optional[str] = None, threshold: Optional[float] = None) -> types.SearchResponse:
        """Searches a tenant's persons."""
        return cast(types.SearchResponse, await self.json("POST", "/api/v1/search", form={"max_results": max_results, "tenant_id": tenant_id, "threshold": threshold}, file={"file": file}))

    async def send_frame(self, *, capture_id: str, file: Photograph, previous: str) -> types.CaptureResponse:
        """Takes a frame of a capture."""
        return cast(types.CaptureResponse, await self.json("POST", "/api/v1/captures/{capture_id}/frames".replace("{capture_id}", self.part(capture_id)), form={"previous": previous}, file={"file": file}))

    async def verify(self, *, file: Photograph, user_id: str, capture_id: Optional[str] = None, tenant_id: Optional[str] = None) -> types.VerifyResponse:
        """Verifies a person."""
        return cast(types.VerifyResponse, await self.json("POST", "/api/v1/verify", form={"user_id": user_id, "capture_id": capture_id, "tenant_id": tenant_id}, file={"file": file}))
