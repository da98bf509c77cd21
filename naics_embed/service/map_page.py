"""What a browser gets in place of the map: a page that waits for the model, or asks for a key."""

from pathlib import Path

from fastapi.responses import FileResponse
from starlette.responses import Response
from starlette.types import Scope

from naics_embed.service.access import MAP_PATH
from naics_embed.service.problems import ProblemError

WAITING_PAGE = Path(__file__).with_name('static') / 'atlas.html'
WAITED_FOR = (401, 503)


def refusal(problem: ProblemError, scope: Scope) -> Response:
    """Return the answer to a refused request: problem details, or a page to a browser.

    Where somebody follows a link to the map, the page asks for the key, or waits until the model is
    loaded, and then opens the map. It has the status of the problem.

    Args:
        problem: why the request is refused.
        scope: the request.
    """
    path = scope['path'].removeprefix(scope.get('root_path', ''))
    accepted = dict(scope['headers']).get(b'accept', b'')
    if path != MAP_PATH or problem.status not in WAITED_FOR or b'text/html' not in accepted:
        return problem.response()
    return FileResponse(WAITING_PAGE, problem.status, dict(problem.headers or {}))
