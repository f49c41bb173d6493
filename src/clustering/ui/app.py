"""The application: which address shows what."""

from pathlib import Path
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from clustering.ui.guard import Access, Guard
from clustering.ui.pages import choose, compare, data, runs, segments, stores, whole
from clustering.ui.reading import Problem, Project
from clustering.ui.rendering import HERE, show
from clustering.ui.working import Work
from storelib.errors import PipelineError


def start(_: Request) -> Response:
    """The first page."""
    return RedirectResponse("/segments", 303)


def mistake(request: Request, error: Exception) -> Response:
    """A mistake that a person can mend, as a page."""
    if isinstance(error, PipelineError):
        problem, status = Problem(error.args[0], error.solution), 400
    elif isinstance(error, HTTPException) and error.status_code == 404:
        problem, status = Problem("there is no such page", "go on from the menu"), 404
    elif isinstance(error, HTTPException):
        problem, status = Problem(error.detail, "go on from the menu"), error.status_code
    else:
        problem, status = Problem("this page has a defect", "report it with the log of the command"), 500
    came = urlsplit(request.headers.get("referer", ""))
    # Only to a page of this interface, whatever a browser says.
    back = f"{came.path}?{came.query}" if came.netloc == request.url.netloc and came.path.startswith("/") else ""
    return show(request, "mistake.html", status, title="Not done", problem=problem, back=back)


def routes() -> list[BaseRoute]:
    """Every address."""
    pages = [route for module in (segments, whole, stores, choose, compare, runs, data) for route in module.ROUTES]
    return [Route("/", start), *pages, Mount("/static", StaticFiles(directory=HERE / "static"))]


def make_app(root: Path, env: str, access: Access) -> Starlette:
    """The interface of one project for one environment."""
    app = Starlette(
        routes=routes(),
        middleware=[Middleware(Guard, access=access)],
        exception_handlers={PipelineError: mistake, HTTPException: mistake, 500: mistake},
    )
    app.state.access = access
    app.state.project = Project(root, env)
    app.state.work = Work(root)
    return app
