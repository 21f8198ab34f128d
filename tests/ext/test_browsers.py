"""Playwright and Selenium drive a real Chromium from green threads, beside a heartbeat; ldap3 asks a directory."""

import shutil
from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.slow

# A server in the same process; its page answers after 0.3 s.
SERVER = """
import time
from greening import wsgi
def app(environ, start_response):
    time.sleep(0.3)
    start_response("200 OK", [("Content-Type", "text/html")])
    return [b"<title>" + environ["PATH_INFO"].encode() + b"</title><h1>here</h1>"]
listener = greening.listen(("127.0.0.1", 0))
url = f"http://127.0.0.1:{listener.getsockname()[1]}"
server = greening.spawn(wsgi.server, listener, app, log_output=False)
"""


def program(*names: str) -> str:
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None:
        pytest.skip(f"there is no {names[0]} on PATH; on Debian: apt install chromium chromium-driver")
    return found


@pytest.mark.parametrize("number", [1, 2])
def test_playwright(number: int, run_green: Callable[..., Any]) -> None:
    pytest.importorskip("playwright")
    browser = program("chromium", "chromium-browser", "google-chrome")
    run_green(
        SERVER + "from playwright.sync_api import sync_playwright\nbeat()\n"
        "def visit(n):\n    with sync_playwright() as playwright:\n"
        f"        browser = playwright.chromium.launch(executable_path={browser!r}, args=['--no-sandbox'])\n"
        "        page = browser.new_page()\n        page.goto(f'{url}/{n}')\n"
        "        title = page.title(), page.text_content('h1')\n        browser.close()\n        return title\n"
        f"threads = [greening.spawn(visit, n) for n in range({number})]\n"
        f"titles = [(f'/{{n}}', 'here') for n in range({number})]\n"
        "assert [thread.wait() for thread in threads] == titles\nserver.kill()\n",
        tolerance=1,  # playwright builds its objects at the first use
    )


def test_selenium(run_green: Callable[..., Any]) -> None:
    pytest.importorskip("selenium")
    driver, browser = program("chromedriver"), program("chromium", "chromium-browser", "google-chrome")
    run_green(
        SERVER + "from selenium import webdriver\nfrom selenium.webdriver.chrome.service import Service\n"
        "from selenium.webdriver.chrome.webdriver import WebDriver\nbeat()\n"
        "def visit(n):\n    options = webdriver.ChromeOptions()\n"
        "    for option in ('--headless=new', '--no-sandbox'): options.add_argument(option)\n"
        f"    options.binary_location = {browser!r}\n"
        f"    driver = WebDriver(options=options, service=Service({driver!r}))\n"
        "    try:\n        driver.get(f'{url}/{n}')\n        return driver.title\n    finally: driver.quit()\n"
        "threads = [greening.spawn(visit, n) for n in range(2)]\n"
        "assert [thread.wait() for thread in threads] == ['/0', '/1']\nserver.kill()\n",
        tolerance=1,  # selenium imports as it goes
    )


# The answers of a directory: to a bind (tag 0x60) and to a search (0x63). Source: RFC 4511, sections 4.1.1, 4.2, 4.5.
DIRECTORY = """
import time
def read(sock, number):
    data = b""
    while len(data) < number:
        data += (more := sock.recv(number - len(data)))
        if not more: raise EOFError
    return data
def handle(sock, address):
    try:
        while True:
            length = read(sock, 2)[1]
            if length & 0x80: length = int.from_bytes(read(sock, length & 0x7F), "big")
            message = read(sock, length)
            number = message[: 2 + message[1]]
            kind = message[2 + message[1]]
            if kind == 0x42: return
            if kind == 0x63: time.sleep(0.3)
            done = bytes([{0x60: 0x61, 0x63: 0x65}[kind], 7]) + b"\\n\\x01\\x00\\x04\\x00\\x04\\x00"
            sock.sendall(bytes([0x30, len(number) + len(done)]) + number + done)
    except EOFError: pass
listener = greening.listen(("127.0.0.1", 0))
server = greening.spawn(greening.serve, listener, handle)
"""


@pytest.mark.parametrize("before", ["", "import ldap3"], ids=["early", "late"])
def test_ldap3(before: str, run_green: Callable[..., Any]) -> None:
    pytest.importorskip("ldap3")
    run_green(
        DIRECTORY + "import ldap3\nbeat()\n"
        "def ask(n):\n    directory = ldap3.Server('127.0.0.1', listener.getsockname()[1], get_info=ldap3.NONE)\n"
        "    connection = ldap3.Connection(directory, 'cn=a', 'b', auto_bind=True)\n"
        "    connection.search('dc=test', '(cn=*)')\n    done = connection.result['description']\n"
        "    connection.unbind()\n    return done\n"
        "begin = time.monotonic()\nthreads = [greening.spawn(ask, n) for n in range(20)]\n"
        "assert [thread.wait() for thread in threads] == ['success'] * 20\n"
        "assert time.monotonic() - begin < 2.5\nserver.kill()\n",
        before=before,
        tolerance=0.5,  # it builds its grammar at the first use
    )
