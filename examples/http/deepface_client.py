"""Calls of a DeepFace user, with `requests`, against a running service.

    python deepface_client.py PHOTOGRAPH ANOTHER SPOOF URL

URL is what such a user has: the service's own with --deepface-root, else with /deepface behind it.
Prints one line per call; anything unexpected ends it with a traceback.
"""

import base64
import sys

import requests

VERIFIED = {
    "verified", "distance", "threshold", "confidence", "model", "detector_backend",
    "similarity_metric", "facial_areas", "time",
}


def uri(path: str) -> str:
    with open(path, "rb") as file:
        return "data:image/jpeg;base64," + base64.b64encode(file.read()).decode()


def verify_json(url: str, first: str, second: str, **words) -> requests.Response:
    return requests.post(f"{url}/verify", json={"img1": uri(first), "img2": uri(second), **words}, timeout=60)


def verify_form(url: str, first: str, second: str, **words) -> requests.Response:
    with open(first, "rb") as img1, open(second, "rb") as img2:
        return requests.post(f"{url}/verify", files={"img1": img1, "img2": img2}, data=words, timeout=60)


def shape(answer: dict) -> None:
    assert VERIFIED <= answer.keys(), answer.keys()
    for name in ("img1", "img2"):
        assert {"x", "y", "w", "h", "left_eye", "right_eye"} == answer["facial_areas"][name].keys()
    assert isinstance(answer["verified"], bool) and isinstance(answer["time"], float)


def main(first: str, second: str, spoof: str, url: str) -> None:
    words = {"model_name": "Facenet512", "detector_backend": "centerface", "distance_metric": "cosine"}
    answers = []
    for call in (verify_json, verify_form):
        answer = call(url, first, second, **words, anti_spoofing=True)
        answer.raise_for_status()
        shape(answer.json())
        answers.append(answer.json()["distance"])
        print(call.__name__, answer.json()["verified"], answer.json()["distance"])
    assert answers[0] == answers[1], answers

    embedded = requests.post(f"{url}/represent", json={"img": uri(first)}, timeout=60)
    embedded.raise_for_status()
    face = embedded.json()["results"][0]
    assert len(face["embedding"]) == 512 and face["facial_area"]["w"] > 0 and face["face_confidence"] > 0.5
    print("represent", len(face["embedding"]))

    # A form's booleans are words: "False" is false, here.
    plain = verify_form(url, spoof, spoof, anti_spoofing="False")
    assert plain.status_code == 200, plain.text
    for call in (verify_json, verify_form):
        refused = call(url, spoof, first, anti_spoofing=True)
        assert refused.status_code == 400 and "Spoof detected" in refused.json()["error"], refused.text
        print(call.__name__, refused.status_code, refused.json()["error"])

    for image in ("/etc/passwd", "http://127.0.0.1/face.jpg"):
        refused = requests.post(f"{url}/represent", json={"img": image}, timeout=60)
        assert refused.status_code == 400 and refused.json()["error_code"] == "INVALID_INPUT", refused.text
        print("represent", refused.status_code, refused.json()["error"])


if __name__ == "__main__":
    main(*sys.argv[1:])
