"""Arrow streams that polars does not write: three rows of the table each, with one column of another kind."""

from __future__ import annotations

import base64
import zlib

# name -> zlib and base64 of what pyarrow.ipc.new_stream writes
PACKED = {
    "runs": (
        "eNqlUr1OwzAQvvw5oWTwUFUdM/AADAxslXgCBpihFAuQkgg1LRJbH4AHYeBRGBh4EEY289k+i3BSJ075fPnuPp99uVhr7S4h0uRs"
        "QjUpKqjCGyzJwQmswprzGvACXAMnzC9QBxsyV2fOMWcFMDyafgN/5jUp7YJWSa0COtPdmDXRGzSvQVdInfOrh82ze/+E5iPoZk7T"
        "cD4FWuAIyIDlnUE89zlNU/SiqPTdae493L0R93latlszBOb2KJ9JuQaJGpRqPjPWcJr1tr8y/e0QeA2UPu4ObViHFuw95jBlXtOM"
        "J1H7EyjL/Tc4p2gT8NpPxc3qncIMM/q1Q9pv4/uNrRJei7wWPt7/gP2x0EeesD8V+cjno5gSfYz37+PZv/j3IsYU93LZduFhRflH"
        "/7WQ3vp/kOgHQJxECg=="
    ),
    "a dictionary of lists": (
        "eNqNUz1PxDAMdZq0F1CHCp1QB4YbO3Zgv4XhBlYkBgY+VKGTKELQAf4LAz+AH8LPYWQrz4nLtZYKWHWd+D07fqna931/bogKYtun"
        "nDJKyWMFM44cQg0OR/ZX+CX8WPYrYCBari8lx5bCnx6a+w7xIHASOo3cTHMzeNu0180j0TM4XeSlmsfxZtu98PoNnAKoR/UCUxe0"
        "FA0m55oTnk1qII82cAu/um1Q4wPC7xzu8fbo4uMxJqJRO/cdzuCdnBH0HqnZtl3TshrmZyGbEMbsP7BaCi/HKt5wHjpS4gJWCR5v"
        "Ps42fJMSTCfIheQN7czRvHkVdX41yiWq71zvXe5rPRdZd2XGug+nuq0L33bz02uq81102tG5e7/otH/oLCSWqlel+MN+uIda4bXq"
        "M9yHnZnnv3uNZTLj2V0bH8EWE+bnWsc+/DtE34ukRwA="
    ),
    "a dictionary of bytes": (
        "eNqVUr1OxDAMdppcr0IZOlSoA0PHGxmYWGBgYGBFYgVUISSKTtCFd2Fg5JF4DN4gfHZcyEUBCVeO/744X9yEEMKhIWqJZY881bSi"
        "Bh7EOHIwV8CwZf2AbqFHGp+jBqDl/b3mWFbQ5+34OMMeC6aiOWLrHFtDp3G6GZ+I3oBpUW2QXYNNS51yM67DegYdkr1sb+/nF/Yb"
        "fJzh1UvsoWuJuUGsxjtx3+UMjvQMucdB0t9Cr+9GYcn4WrIVgWZ4h9cpzsOLk/PSkSontVbrcaKR2zLrHkinlQvNG/oRS79Lk9kU"
        "a7I+ab/Lh0l85t+blP/+Ln/r5B+dfu/e5fuqfG2BU0n6zOb5pc+Q1YfkTiybrL4p9HWF2f03jvJ5UraEd/M3LshbJ/oCTds6MQ=="
    ),
    "lists that overlap": (
        "eNqVUrFOwzAQfYkTt1QeMkSolTp0YGDswA4zEwtSRyiKaCWCKsjCzsinMPAxDAx8BH9gnu2LWo4ycMrz5d09n30ne+/9cQZUCDaC"
        "g0WJIf9oWUEOsiHXQtaEF+KKOBG+YB1uMKHOWGLBSuJx09x39OdRk+M5aa3WWqJt2mXzALxR85p0pdYFf7PunsL/BzXvSTepyaeS"
        "Z0s4IgxxfdswVsR4hZp9WAxiZ5X0ne49VWesu6YNtwp6G6M5eJRfsXgtOodDmZiLFWGKeNcNehuRuzi9MNNPpFkbbM3hb+tzleIz"
        "pZsp3Vzl5yp/Jv5A/IXS9zwTv1D5no93YqXqK03sp5l/cuypl/+q+3W625aRtxR6u7xr0yeCwd59W+/jWwK+AcoIP9U="
    ),
    "a union": (
        "eNqlkrFOwzAQhv/UiRuqCHWIUIcOeYQMTCzNwJAXYC+gCCGRqoIuvAUjD8PIQ/AYjGzmP/sCiWHrr5x+n+9z4nPsnHN1AiwhWqCA"
        "RYacIypJkdIaMuISL4wt41zzS9YIGlm/0jlRxnjad7sD/cIzM+wDa2PWMvquv+kegQ8yr4HLhFuPOPHb+8NzGIe9vQf2tOS4UibR"
        "/RnG9V3HbnJfyUd10RIl5yzm7FqycAZ/exG+Jies9TMz8LOuZaFUpsCZnlzh3waT+ndsMWjBvPC7kLN9QzhzA4yIXw3zOaYa8pV6"
        "FdWrn96CavUT9Sbim1GPojaqt9H3hn9rIu7YfKqvzX9u9K5IL1cPfXh0xXyy/nMTu/P3BPgGi4Y+uw=="
    ),
    "lists in lists": (
        "eNrdlK1Ow1AUx08/1o2lJBMNWcJExQRyAr89wEQNvkAasoSSBipGgphEIHgABALRR+ARJiYqEDwCQSEQM3A596Oh/MOSOhJOe3ru"
        "uf/fvW3vPblCCHFtE/VIWpd88qhFHW6xWS7nxFmHn655ar9hj9n3Tb7+EIIHOHKevumT1mK/yJKznOOrYmwafirWQ9ZjT5P0KDkn"
        "ipiZaq6FnIzHs/xStufM5Jrzgxpnkf4nh/3wJKF7Zu5q3KDGBaY9y5NUzrlibtmQXTP33pAd8lqHohkbMTdtyF4xN2/IFsw9NGSf"
        "mCtrbFhj94B11SXXPOA68aitKqdn6krXxQD2UI/1FO+pXpv4deLZ1t8izacdU5G+mpEcV+3xC1XW5dxX1SlrdmV973tlu7TZehA3"
        "9Yegh6CPQB+BPgF9AnoEegR6DHoMegZ6BvoC9AXot6BXed/EAvQCxj+auGXiEvgqt0wsQS/hfdK2YR/pH+TVGtg17a9zPsXGv0XH"
        "nMlyTw9OU32bEe0ff/Q2xijUuUH0Bbw7lZo="
    ),
    "a date beyond the calendar": (
        "eNqdUTFOAzEQHHM+54hcuIhQCgpKyhQp0uULNPRAdIqQOIRCGirylDwgz6HIM/IDM7b3xLFSmqxuvDfr8XpvLsYYYYCAFGN4ONRo"
        "+MYwlhxkDVcra8GeeCLmwnepD0yV+kyllqImPj/a9y3zJmuucChap7WO6Nrupd0AR2p+iq5OutuBLuXV6/arvNvMAyacz2GUJw7y"
        "PabRZyvied3m25LeSZ1XxXv6MBHucSNO+NwRlc2zPqCPMbnPriSvDigeVviLa5wPLzmoelD5TvWaKX3PjeSF2u/5dFCzak5cwGnX"
        "d4+hxsmsj29deWRv9O/0aalzzP8a+AXh+j3h"
    ),
}
STREAMS = {name: zlib.decompress(base64.b64decode(text)) for name, text in PACKED.items()}
