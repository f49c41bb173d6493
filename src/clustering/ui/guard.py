"""Who may ask the interface for what: its own host names alone, with a token where it is open to a network, and no POST by another page."""

import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
# Addresses that mean every one of the machine's.
EVERYWHERE = frozenset({"0.0.0.0", "::", ""})  # noqa: S104 (what a user may ask for, which needs a token)
# A form of a few fields.
LARGEST_FORM = 64 * 1024
COOKIE = "clustering_ui"
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


@dataclass(frozen=True)
class Access:
    """What is allowed since the start. token: what a browser must show, where one is asked for; form_token: what every form holds."""

    host: str = "127.0.0.1"
    allow_run: bool = False
    token: str | None = None
    form_token: str = field(default_factory=lambda: secrets.token_urlsafe(32))

    def knows(self, name: str) -> bool:
        """Whether a page may call this server by a host name: else a name of somebody else's could be pointed here."""
        if name in LOOPBACK or name == self.host.strip("[]").lower():
            return True
        # By any name of the machine, which the token then stands for.
        return self.host in EVERYWHERE and self.token is not None


def needs_token(host: str) -> bool:
    """Whether others than this machine's users can reach the address."""
    return host.strip("[]").lower() not in LOOPBACK


def host_of(header: str) -> str:
    """The name in a Host header, without its port."""
    try:
        return (urlsplit(f"//{header}").hostname or "").lower()
    except ValueError:
        return ""


class Guard:
    """Lets through what `Access` allows, and puts the headers on every answer."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self.app = app
        self.access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                if not str(scope["path"]).startswith("/static/"):
                    headers["Cache-Control"] = "no-store"
            await send(message)

        refused = self.refusal(Request(scope))
        await (refused or self.app)(scope, receive, with_headers)

    def refusal(self, request: Request) -> Response | None:
        """The answer to a request that is not let through."""
        headers = Headers(scope=request.scope)
        if not self.access.knows(host_of(headers.get("host", ""))):
            return PlainTextResponse("this interface does not go by that host name", 421)
        if self.access.token is None:
            return None
        name = f"{COOKIE}_{request.url.port or 80}"
        if same(request.cookies.get(name, ""), self.access.token):
            return None
        if request.method == "GET" and same(request.query_params.get("token", ""), self.access.token):
            rest = [(key, value) for key, value in parse_qsl(request.url.query) if key != "token"]
            query = f"?{urlencode(rest)}" if rest else ""
            # A path of two slashes would be another host to a browser.
            answer = RedirectResponse("/" + request.url.path.lstrip("/") + query, 303)
            answer.set_cookie(name, self.access.token, httponly=True, samesite="strict")
            return answer
        return PlainTextResponse(
            "a token is needed: open the address that `clustering ui` printed when it started, which holds it", 403
        )


def same(given: str, wanted: str) -> bool:
    """Whether two secrets are equal, in a time that does not tell how far."""
    return secrets.compare_digest(given.encode(), wanted.encode())


Form = Mapping[str, str]
Action = Callable[[Request, Form], Response]


class RefusedError(Exception):
    """A POST that is not carried out, and why."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


def action(act: Action) -> Callable[[Request], Awaitable[Response]]:
    """An endpoint for a form of this interface's own pages, where changes are allowed. act: runs in a thread."""

    async def endpoint(request: Request) -> Response:
        from starlette.concurrency import run_in_threadpool

        try:
            form = await form_of(request)
        except RefusedError as refused:
            return PlainTextResponse(str(refused), refused.status)
        return await run_in_threadpool(act, request, form)

    return endpoint


async def form_of(request: Request) -> Form:
    """The fields of a form. Raises RefusedError where changes are not allowed, or the form is not of a page of ours."""
    access: Access = request.app.state.access
    if not access.allow_run:
        raise RefusedError(403, "this interface only shows: start it with --allow-run to change or run anything")
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
        raise RefusedError(403, "this form is of another page")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_FORM:
            raise RefusedError(413, "this form is too large")
    try:
        fields = parse_qs(bytes(body).decode(), keep_blank_values=True, max_num_fields=100)
    except ValueError:
        raise RefusedError(400, "this is no form") from None
    form: dict[str, Any] = {name: " ".join(values[-1].split()) for name, values in fields.items()}
    if not same(form.pop("form_token", ""), access.form_token):
        raise RefusedError(
            403, "this form is of another page, or of before the last start: go back and load the page anew"
        )
    return form
