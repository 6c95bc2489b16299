from __future__ import annotations

import logging
import re
import time
from dataclasses import replace

import pytest

from dashboard.desk.accounts import Account, Accounts, hash_password, write_account
from dashboard.desk.sessions import COOKIE, IDLE, LONGEST, RENEW, Sessions
from dashboard.desk.waiting import Waiting
from domain.centre import Centre
from domain.centres import Centres
from tests.dashboard.desk.conftest import HALL, HASH, PASSWORD

pytestmark = pytest.mark.postgres


def test_nobody_gets_in_without_signing_in(visit):
    browser = visit()
    for path in ("/", "/finding/f1", "/scores", "/history", "/checks", "/new", "/finding/f1/bundle"):
        answer = browser.get(path)
        assert answer.status_code == 401, path
        assert 'name="password"' in answer.text
    assert browser.post("/finding/f1/act", step="revoke", saw=1, text="x").status_code == 401


def test_after_signing_in_one_is_where_one_wanted_to_be(visit):
    browser = visit()
    browser.get("/scores?kind=year")
    answer = browser.post("/sign-in", name="inspector", password=PASSWORD, next="/desk/scores?kind=year")
    assert (answer.status_code, answer.headers["location"]) == (303, "/desk/scores?kind=year")
    assert 'value="/desk/scores?kind=year"' in browser.page
    assert browser.get("/").status_code == 200
    assert "监察员" in browser.page


@pytest.mark.parametrize("elsewhere", ["https://evil.example/", "//evil.example", "/", "desk/"])
def test_nobody_is_sent_elsewhere(visit, elsewhere):
    browser = visit()
    browser.get("/sign-in")
    answer = browser.post("/sign-in", name="viewer", password=PASSWORD, next=elsewhere)
    assert answer.headers["location"] == "/desk/"


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(visit):
    browser = visit()
    browser.get("/sign-in")
    cookie = browser.post("/sign-in", name="viewer", password=PASSWORD).headers["set-cookie"]
    assert f"{COOKIE}=" in cookie
    for part in ("HttpOnly", "SameSite=strict", "Path=/desk"):
        assert part in cookie
    assert "Secure" not in cookie
    secure = visit(secure=True)
    secure.get("/sign-in")
    assert "Secure" in secure.client.get("/desk/sign-in").headers["set-cookie"]


@pytest.mark.parametrize(
    ("name", "password"), [("inspector", "wrong"), ("nobody", PASSWORD), ("inspector", "")]
)
def test_a_wrong_try_says_no_more_than_that_and_is_logged(visit, caplog, name, password):
    browser = visit()
    with caplog.at_level(logging.INFO):
        answer = browser.sign_in(name, password)
    assert answer.status_code == 401
    assert "账号或密码不正确" in answer.text
    assert f"sign-in as '{name}'" in caplog.text
    assert "failed" in caplog.text
    assert not password or password not in caplog.text


def test_a_sign_in_is_logged(visit, caplog):
    with caplog.at_level(logging.INFO):
        visit("inspector")
    assert "inspector (inspector) signed in from" in caplog.text


def test_the_wait_grows_and_the_right_password_is_not_even_looked_at_meanwhile(visit):
    now = [0.0]
    browser = visit(waiting=Waiting(monotonic=lambda: now[0]))
    for _ in range(3):
        assert browser.sign_in("inspector", "wrong").status_code == 401
    answer = browser.sign_in("inspector")
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
    now[0] += 1
    assert browser.sign_in("inspector", "wrong").status_code == 401
    assert browser.sign_in("inspector").headers["retry-after"] == "2"
    now[0] += 2
    assert browser.sign_in("inspector").status_code == 303


def test_whoever_tries_a_name_from_elsewhere_locks_its_owner_out_for_a_minute_at_most():
    waiting = Waiting(monotonic=lambda: 0.0)
    for number in range(200):
        waiting.failed("inspector", f"10.0.0.{number}")
    assert 0 < waiting.seconds("inspector", "192.168.1.1") <= 60
    assert waiting.seconds("other", "192.168.1.1") == 0


def test_the_sign_in_form_of_another_site_is_refused(visit):
    browser = visit()
    browser.get("/sign-in")
    for answer in (
        browser.post("/sign-in", token="x", name="viewer", password=PASSWORD),
        browser.client.post(
            "/desk/sign-in",
            data={"token": browser.token, "name": "viewer", "password": PASSWORD},
            headers={"sec-fetch-site": "cross-site"},
        ),
    ):
        assert answer.status_code == 403
        assert COOKIE not in {each.split("=")[0] for each in answer.headers.get_list("set-cookie")}


def test_signing_out_ends_the_cookie_wherever_it_lies(visit, desk):
    browser = visit("viewer")
    browser.get("/")
    stolen = browser.client.cookies[COOKIE]
    assert browser.post("/sign-out").status_code == 303
    assert browser.get("/").status_code == 401
    thief = visit()
    thief.client.cookies.set(COOKIE, stolen, path="/desk")
    assert thief.get("/").status_code == 401


def test_signing_out_needs_the_token(visit):
    browser = visit("viewer")
    browser.post("/sign-out", token="x")
    assert browser.get("/").status_code == 200


def test_a_session_ends_by_idleness_and_altogether():
    now = [1000.0]
    sessions = Sessions(b"k" * 32, real=lambda: now[0])
    account = Account("a", "viewer", HASH)

    def find(name):
        return account

    session = sessions.begin(account)
    cookie = sessions.cookie(session)
    now[0] += IDLE
    assert sessions.read(cookie, find) == (session, account)
    now[0] += 1
    assert sessions.read(cookie, find) is None
    now[0] = 1000.0
    while now[0] < 1000.0 + LONGEST:
        now[0] += RENEW
        kept = sessions.renewed(session)
        assert kept is not None
        session = kept
    now[0] += 1
    assert sessions.read(sessions.cookie(session), find) is None


@pytest.mark.parametrize(
    "change", [{"hash": hash_password("another", n=16)}, {"role": "viewer"}, {"person": "p5"}]
)
def test_another_password_role_or_person_ends_the_sessions(change):
    sessions, account = Sessions(b"k" * 32), Account("a", "inspector", HASH, "p4")
    cookie = sessions.cookie(sessions.begin(account))
    assert sessions.read(cookie, lambda name: account) is not None
    assert sessions.read(cookie, lambda name: replace(account, **change)) is None
    assert sessions.read(cookie, lambda name: None) is None


def test_a_cookie_signed_by_another_or_changed_is_none():
    account = Account("a", "viewer", HASH)
    cookie = Sessions(b"k" * 32).cookie(Sessions(b"k" * 32).begin(account))
    for given in (
        "",
        ".",
        "x.y",
        cookie[:-1] + ("0" if cookie[-1] != "0" else "1"),
        "A" + cookie,
        cookie * 9,
    ):
        assert Sessions(b"k" * 32).read(given, lambda name: account) is None
    assert Sessions(b"l" * 32).read(cookie, lambda name: account) is None


def test_an_account_that_is_struck_out_is_out_at_once(visit, accounts_file):
    browser = visit("viewer")
    assert browser.get("/").status_code == 200
    text = accounts_file.read_text("utf-8")
    accounts_file.write_text(
        "\n".join(line for line in text.splitlines() if not line.startswith("viewer")) + "\n", "utf-8"
    )
    assert browser.get("/").status_code == 401


def test_a_file_that_has_turned_bad_lets_nobody_in_and_names_no_secret(visit, accounts_file, caplog):
    browser = visit("viewer")
    accounts_file.write_text("viewer:king:secret-hash\n", "utf-8")
    answer = browser.get("/")
    assert answer.status_code == 503
    assert "secret-hash" not in answer.text + caplog.text
    assert str(accounts_file) not in answer.text
    assert "accounts:1" in caplog.text


def test_without_a_file_the_desk_says_that_it_is_closed_and_how_to_open_it(visit):
    browser = visit(accounts=Accounts(None))
    for path in ("/", "/sign-in", "/finding/f1"):
        answer = browser.get(path)
        assert answer.status_code == 503
        assert "MINGJING_DESK_ACCOUNTS_FILE" in answer.text
        assert "未开放" in answer.text


def test_a_proxy_is_believed_only_where_it_was_said_so(visit):
    header = {"X-Remote-User": "inspector"}
    assert visit().get("/", headers=header).status_code == 401
    believed = visit(trusted_header="X-Remote-User")
    assert believed.get("/", headers=header).status_code == 200
    assert believed.get("/").status_code == 403
    assert believed.get("/", headers={"X-Remote-User": "stranger"}).status_code == 403
    # The browser adds the proxy's sign-in to any site's form: the token is asked for all the same.
    assert believed.post("/new", token="x").status_code == 403


def test_what_was_written_when_the_session_was_over_is_shown_again(visit):
    browser = visit()
    answer = browser.client.post(
        "/desk/finding/f1/act", data={"token": "x", "step": "answer", "saw": 1, "text": "写了很久的说明"}
    )
    assert answer.status_code == 401
    assert "写了很久的说明" in answer.text
    assert 'name="next" value="/desk/finding/f1"' in answer.text


def test_every_page_has_the_strict_policy_and_no_script_or_style_of_its_own(visit):
    browser = visit("inspector")
    for path in ("/", "/sign-in", "/new", "/checks", "/history"):
        answer = browser.get(path)
        policy = answer.headers["content-security-policy"]
        assert "'unsafe-inline'" not in policy
        assert "default-src 'none'" in policy
        assert not re.search(r"<style|style=|onclick|<script(?! src=)", answer.text), path
        assert answer.headers["cache-control"] == "no-store"


def test_a_try_takes_the_time_that_was_chosen():
    # Not less than 5 ms even on a fast machine: a file that gets about is not worth much.
    began = time.perf_counter()
    kept = hash_password(PASSWORD)
    assert time.perf_counter() - began > 0.005
    assert kept.startswith("scrypt$32768$8$1$")
    assert PASSWORD not in kept
    assert hash_password(PASSWORD) != kept


def test_the_file_is_its_owners_alone(tmp_path):
    path = tmp_path / "deep" / "accounts"
    assert write_account(path, Account("a", "viewer", HASH)) is False
    assert write_account(path, Account("a", "inspector", HASH, "p4")) is True
    assert path.stat().st_mode & 0o777 == 0o600
    assert Accounts(path).get("a") == Account("a", "inspector", HASH, "p4")


def test_of_several_centres_an_account_sees_its_own_or_chooses(visit, desk, accounts_file):
    other = Centre.model_validate(
        {"centre": {"id": "530503", "name": "另一中心"}, "people": [], "windows": [{"id": "B01"}]}
    )
    centres = Centres([HALL, other])
    write_account(accounts_file, Account("bound", "viewer", HASH, "", "530503"))
    free, bound = visit("viewer", centres=centres), visit("bound", centres=centres)
    assert "测试政务服务中心" in free.get("/").text
    assert '<option value="530503" selected>' in free.get("/?centre=530503").text
    assert 'href="/desk/scores?centre=530503"' in free.page
    assert 'value="B01"' in bound.get("/?centre=530502").text
    assert 'name="centre" id="centre"' not in bound.page
