"""``mingjing desk account``: who may sign in at the inspectors' desk."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Annotated, get_args

import typer

from dashboard.desk.accounts import (
    LEAST_PASSWORD,
    Account,
    AccountRole,
    hash_password,
    parse_accounts,
    remove_account,
    write_account,
)
from domain.errors import InputError, SettingsError

app = typer.Typer(help="工作台 · The inspectors' desk.", rich_markup_mode=None)
account_app = typer.Typer(
    help="账号 · Accounts: add (also a new password), list, remove.",
    rich_markup_mode=None,
    no_args_is_help=True,
)
app.add_typer(account_app, name="account")


@app.callback()
def desk() -> None:
    """工作台 · The inspectors' desk."""


NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="账号名 · name of the account")]
FileOption = Annotated[
    Path | None,
    typer.Option(
        "--file", help="账号文件 · file of accounts (MINGJING_DESK_ACCOUNTS_FILE)", show_default=False
    ),
]


@account_app.command("add")
def add_command(
    name: NameArgument,
    role: Annotated[
        str, typer.Option(help="inspector 监察员 · director 中心领导 · window 窗口单位 · viewer 查阅")
    ],
    person: Annotated[
        str, typer.Option(help="以何人名义办理：中心文件中的人员编号 · id of the person in the centre file")
    ] = "",
    centre: Annotated[str, typer.Option(help="只限该中心 · this centre only, where there are several")] = "",
    password_file: Annotated[
        Path | None,
        typer.Option(
            help="密码文件，缺省为键入（不显示） · file with the password; default: asked for, not shown"
        ),
    ] = None,
    file: FileOption = None,
) -> None:
    """新增或更换 · Adds an account, or replaces the one of that name. Sessions of the old one end at once."""
    if role not in get_args(AccountRole):
        raise InputError(f"--role: '{role}' is none of {', '.join(get_args(AccountRole))}")
    if role in ("inspector", "window") and not person:
        raise InputError(
            f"--person: an account of the role {role} acts in somebody's name; give the person's id"
        )
    path = _file(file)
    _check_person(person, centre)
    account = Account(name, role, hash_password(_password(password_file)), person, centre)  # type: ignore[arg-type]
    replaced = write_account(path, account)
    typer.echo(f"{path}: {name} ({role}) {'已更换 replaced' if replaced else '已新增 added'}")


@account_app.command("list")
def list_command(file: FileOption = None) -> None:
    """列出 · Names, roles and persons; no hashes."""
    path = _file(file)
    for account in parse_accounts(path.read_text("utf-8"), str(path)).values():
        typer.echo(
            "  ".join(part for part in (account.name, account.role, account.person, account.centre) if part)
        )


@account_app.command("remove")
def remove_command(name: NameArgument, file: FileOption = None) -> None:
    """删除 · Strikes an account out; who is signed in by it is out at once."""
    path = _file(file)
    if not remove_account(path, name):
        raise InputError(f"{path}: there is no account {name}")
    typer.echo(f"{path}: {name} 已删除 removed")


def _file(given: Path | None) -> Path:
    from mingjing.settings import load_settings

    path = given or load_settings().desk_accounts_file
    if path is None:
        raise SettingsError("--file FILE (or MINGJING_DESK_ACCOUNTS_FILE) says where the accounts are kept")
    return path.expanduser().resolve()


def _check_person(person: str, centre: str) -> None:
    """A slip in an id would only show when a button is missing. Where there is no centre file here, nothing can be said.

    Raises:
        InputError: the centre files are here, and none knows the person.
    """
    from domain.centre_folder import load_centres
    from mingjing.settings import load_settings

    place = load_settings().centre_file
    if not person or not place.exists():
        return
    centres = load_centres(place)
    if centre and centre not in centres:
        raise InputError(f"--centre: there is no centre {centre} in {place}")
    known = [each for code, each in centres.items() if not centre or code == centre]
    if not any(person in each.people_ids for each in known):
        raise InputError(f"--person: nobody in {place} has the id {person}")


def _password(file: Path | None) -> str:
    """
    Raises:
        InputError: too short, or not the same twice.
    """
    if file is not None:
        password = file.read_text("utf-8").strip()
    else:
        password = getpass.getpass("密码 password: ")
        if password != getpass.getpass("再次输入 once more: "):
            raise InputError("两次输入不同 the two passwords differ")
    if len(password) < LEAST_PASSWORD:
        raise InputError(f"密码至少 {LEAST_PASSWORD} 位 a password has at least {LEAST_PASSWORD} characters")
    return password
