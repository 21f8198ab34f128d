"""A real browser, without a window, on a page with a WebSocket: page, form, keep-alive, messages both ways, the end."""

import json
import subprocess
import sys

import greening

greening.monkey_patch()

from greening.websocket import WebSocketWSGI
from greening.wsgi import Server

PAGE = b"""<!doctype html><meta charset="utf-8"><title>page</title><body><script>
const said = [];
const ws = new WebSocket("ws://" + location.host + "/socket", ["shout"]);
ws.binaryType = "arraybuffer";
ws.onopen = () => { ws.send("gr\\u00fc\\u00dfe"); ws.send(new Uint8Array([1, 2, 3])); ws.send("x".repeat(200000)); };
ws.onmessage = ({data}) => {
  said.push(typeof data === "string" ? data.length > 100 ? data.length : data : Array.from(new Uint8Array(data)));
  if (said.length === 3) ws.close(1000, "enough");
};
ws.onclose = ({code, wasClean}) => fetch("/done", {
  method: "POST", body: JSON.stringify({said, code, wasClean, protocol: ws.protocol, extensions: ws.extensions}),
});
</script>"""

done = greening.Event()


@WebSocketWSGI.configured(supported_protocols=["shout"])
def shout(ws):
    while (message := ws.wait()) is not None:
        ws.send(message.upper())


def app(environ, start_response):
    if environ["PATH_INFO"] == "/socket":
        return shout(environ, start_response)
    if environ["PATH_INFO"] == "/done":
        done.send(json.loads(environ["wsgi.input"].read()))
    content = PAGE if environ["PATH_INFO"] == "/" else b""
    start_response("200 OK", [("Content-Type", "text/html"), ("Content-Length", str(len(content)))])
    return [content]


server = Server(greening.listen(("127.0.0.1", 0)), app)
server.start()
with subprocess.Popen(
    [
        *(sys.argv[1], "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"),
        *(f"--user-data-dir={sys.argv[2]}", "--remote-debugging-port=0", f"http://127.0.0.1:{server.address[1]}/"),
    ],
    stdout=subprocess.DEVNULL,
    stderr=subprocess.DEVNULL,
) as browser:
    try:
        told = done.wait(timeout=50)
    finally:
        browser.kill()
print(told)
assert told is not None, "the browser did not come back"
assert told["said"] == ["GRÜSSE", [1, 2, 3], 200000], told
assert (told["code"], told["wasClean"], told["protocol"]) == (1000, True, "shout"), told
assert "permessage-deflate" in told["extensions"]
server.stop(1)
