"""What does the page of models show? Endpoints, models, workflows and budgets, as they are now."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tierwise.web.site import Site


def routes(site: Site) -> list[Route]:
    """Return the page of models."""

    async def page(request: Request) -> Response:
        return site.page(request, "models", status=await site.gateway(request).status())

    return [Route("/ui/models", page)]
