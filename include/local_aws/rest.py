"""Every AWS service that is not ours: moto, mounted whole and unchanged. It keeps nothing across restarts."""

from typing import cast

from include.local_aws.asgi import App


def app() -> App:
    """moto's WSGI application as an ASGI one."""
    from a2wsgi import WSGIMiddleware
    from moto.server import DomainDispatcherApplication, create_backend_app

    return cast("App", WSGIMiddleware(DomainDispatcherApplication(create_backend_app), workers=8))
