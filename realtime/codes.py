"""Why a socket is closed, by the code that says so."""

POLICY_VIOLATION = 1008
INTERNAL_ERROR = 1011
SERVICE_RESTART = 1012
SESSION_OVER = 4401
RIGHT_LOST = 4403
NOT_FOUND = 4404
"""Of a handshake: project/daphne_sockets.py answers it with 404."""
NOT_READING = 4408
TOO_MANY = 4429

WHY: dict[object, str] = {
    POLICY_VIOLATION: "the client sent something",
    INTERNAL_ERROR: "what it should be sent cannot be sent",
    SERVICE_RESTART: "this process stops",
    SESSION_OVER: "no good ticket or session, or no longer",
    RIGHT_LOST: "a right was taken away",
    NOT_READING: "it does not read",
    TOO_MANY: "too many open pages",
}
