"""Mask secrets, before a record leaves the process that made it.

Masked are values of keys that name a secret, in fields and texts, authorization and cookie headers, passwords in URLs,
commands and SQL, private keys, and tokens of known forms; not counts, states, placeholders. See docs/logging.md.
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Final

MASK: Final = "***"
LONGEST: Final = 60_000  # characters of a text, whatever becomes of it: masking and sending take bounded time
KEYS: Final = (
    "password", "passwd", "pwd", "passphrase", "passcode", "secret", "token", "api_key", "access_key", "private_key",
    "account_key", "auth_key", "encryption_key", "signing_key", "master_key", "authorization", "credential", "cookie",
)  # fmt: skip

# Tokens known by their form alone; here case matters.
_BARE: Final = re.compile(
    r"(?<![A-Za-z0-9])(?:A[KS]IA[A-Z0-9]{12,}|SK[0-9a-f]{32}|SG\.[\w-]{16,}\.[\w-]{16,}|eyJ[\w-]{8,}(?:\.[\w-]{4,})+"
    r"|(?:gh[opusr]_|github_pat_|gl(?:pat|dt|ptt|rt|cbt|soat|ft)-|xox[a-z]-|xapp-|[sr]k_(?:live|test)_|AIza|ya29\.|npm_"
    r"|pypi-|sk-(?:proj|ant|svcacct)-|hf_|shp[a-z]{2}_|do[opr]_v1_|dckr_pat_|whsec_|hvs\.)(?=[a-z_.-]{0,99}[A-Z0-9])[\w.-]{16,})"
)
_underscored: Final = re.compile("_[A-Za-z0-9]{16}").search
_short: Final = re.compile(r"(?:auth(?!or)|s(?:ess|i[dg])|pass|pin|otp)[\w-]{0,20}\W{0,4}[=:>('0-9]").search

# Parts of the rules, named in capitals; KEY is any secret word. Repetitions are bounded, or end a match: linear time.
_PARTS: Final = {
    # The name of a secret, not of something about it (token_type), nor a count (tokens=5).
    "NAME": r"KEY(?<!unexpected token)(?<!unknown token)(?<!next token)(?!s[\w.-]{0,40}(?:>|MARKIS)NUMBER)s?REST",
    "REST": r"(?:key|value|hash|string|text|data|id)?(?![a-z])(?![\w.-]{0,40}?[_.-]ABOUT(?![a-z]))(?:[\w.-]{0,40}\w)?+",
    "ABOUT": r"(?:type|ur[il]|endpoint|count|bucket|file|path|dir|policy|name|arn|len|length|size|limit|ttl|age|exp\w*|"
    r"at|domain|version|status|state|valid\w*|position|index|manager|required|enabled|changed|min|max|reset|provider)",
    "MARK": r"""(?:\\{0,3}["'])?""",
    "IS": r"[ \t]{0,40}(?:=>|->|:?=|:|%3d|(?:for[ \t]\S{1,40}[ \t])?is[ \t](?=[^\s\d]{0,40}\d))[ \t]{0,40}",
    # A value to its end, without the punctuation that ends it in its sentence or literal.
    "CUT": r"""(?:["'),;.\]\x7d>|]{1,3}(?:\s|\Z)|["']?,\s?["']\w{1,40}["']|["'][\x7d\])]{1,3},|</[\w:.-]{1,40}>)""",
    "QUOTED": r"""(?:b?"(?:[^"\\]|\\.)*"?|b?'(?:[^'\\]|\\.)*'?|\\+"(?:[^"\\]|\\+[^"\\])*(?:\\+")?)""",
    "PLAIN": r"(?:[\w+/=-]++|(?!CUT)\S)+",
    "NEXT": r"""[a-z][\w.-]{1,40}["']?(?:=|:\s)""",
    "TEXT": r"(?:QUOTED(?:(?=[\w@#$%^*+~!?=-]|[,;:./<|&](?!NEXT)\w)PLAIN)?|[\x7b[(][^\x7b\x7d[\]()\n]+[\x7d\])]END)",
    "WHOLE": r"""(?:TEXT|[a-z]+(?: [a-z]+){2,9}(?=["',;]?\s?(?:\n|\Z))|PLAIN)""",
    # No secret: a number, the first word of a state or a message, a type, a placeholder, code, a path.
    "END": r"""(?=["')\]\x7d.:!]{0,3}(?:\s|\Z|[,;&|](?:[\s"'\x7b]|NEXT)|</))""",
    "NUMBER": r"""\[?["']?-?\d[\d.,_]{0,20}[kmgb%]{0,2}END""",
    "SHOWN": r"""(?:\[?f?\\{0,3}["']?(?:WORDS|HOLDER)END|\*{3}@|[^\w\s]{1,3}(?:\s|\Z)|["'][^\w\s]{0,3}["']END"""
    r"""|optional\[|f["'][^"'\n]{0,60}\x7b|(?=[a-z]{1,40}[._])[a-z_.]{3,60}(?:\([^\s()]*\)|\[["']\w{1,40}["']\])(?!\S)"""
    r"|(?:[a-z_]{1,40}\.){1,4}(?:[a-z]{1,20}_){0,2}KEYs?END|(?:(?<= = )|(?=\w{1,40}[,)\]]))KEYs?[,)\]]?(?!\S))",
    "HOLDER": r"(?:\*{3,}|\.{3}|%s|%\(\w{1,40}\)s|\$?\x7b{1,2}[\w. ]{1,60}\x7d{1,2}|\$\w{0,40}_\w{0,40}|<[\w-]{1,40}>"
    r"|\[[\w-]{1,40}\]|\([\w ]{1,60}\)|~?(?:/[a-z_.-]{1,40}){2,9})",
    "WORDS": "(?:(?:deni|requir|expir|fail|(?:dis|en)abl|expect|accept|reject|chang|rotat|renew|refresh|revok|load|"
    "receiv|creat|delet|updat|open|start|clos)ed|none|null|nil|true|false|yes|no|on|off|ok|granted|missing|(?:in)?valid|"
    "wrong|incorrect|empty|unknown|default|found|not|is|was|has|must|should|cannot|this|ensure|too|sent|first|str|int)",
}
# What leads to a secret, and the secret, in a text in small letters.
_RULES: Final = (
    (r"-----begin [a-z ]{0,30}private key[a-z ]{0,9}-----", r"(?s:.*?)(?:-----end [a-z ]{0,50}-----|\Z)"),
    (r"://[^\s/@:\"']{0,200}:(?!\d{1,5}[/?#])(?=[^\s\"'@]{0,300}+@)",
     r"""[^\s/"'<>@]*+(?:(?:@[^\s/"'<>@]*+)*|/[^\s"'@]*+)(?=@)"""),
    (r"https?://", r"""[^\s/@:"']{1,500}(?=@)"""),  # most likely a token
    (r"(?:hooks\.slack\.com/[a-z]{1,20}|discord(?:app)?\.com/api/webhooks|/bot(?=\d{8,10}:))/?", r"[\w/:-]{8,}"),
    # A header, to the end of its line or of the string literal that it stands in.
    (r"(?:cookie|authorization)MARK[ \t]{0,3}[:=][ \t]{0,3}",
     r"""(?=[^\s"'\\])(?:[^\r\n"'\\]|(?<==)(?:"[^"\r\n]*"?|'[^'\r\n]*'?)|(?!CUT)["']|\\(?![rn"']))+"""),
    (r"[?&][\w.-]{0,40}?NAME=", r"(?:(?!&[\w.-]{1,40}=|CUT)\S)+"),  # what stands before a key tells what ends its value
    (r"[;,(]\s?[\w.-]{0,40}?NAMEIS", r"(?:TEXT|(?:(?![;,]\s?NEXT|CUT)\S)+)"),
    (r"<[\w:.-]{0,40}?NAME(?:\s[^<>]{0,200})?>(?:<!\[cdata\[)?", r"[^<\]]+"),
    (r"--(?<!---)[\w.-]{0,40}?NAMEMARK,?[ \t](?!MARK-)", "WHOLE"),
    (r"""[(\[]b?["'][\w.-]{0,40}?NAME["'],\s?""", r"QUOTED(?=\s?[)\]])"),
    (r"NAMEMARKIS", "WHOLE"),
    (r"(?:name|key)MARK\s?[:=]\s?MARK[\w./-]{0,40}?NAMEMARK(?:,[^\n\x7d]{0,40}?)?\s{0,9}MARKvalueMARK[:=]\s?", "WHOLE"),
    # Short names, if the value looks like a secret.
    (r"(?:a(?<![a-z]a)uth|s(?<![a-z]s)(?:ig(?:nature)?|ess(?:ion)?|id)|hmac|(?:php|j)sess(?:ion)?id)RESTMARK(?:IS|>)MARK"
     r"(?=[\w.+/=%~-]{8})(?=[a-z_.+/=%~-]{0,99}\d)(?!NUMBER)", r"""[^\s&"'<]+"""),
    (r"p(?:(?<![a-z]p)|(?<=dbp)|(?<=userp)|(?<=smtpp))ass(?![a-z])RESTMARKIS", "(?!NUMBER)WHOLE"),
    (r"(?:p(?<![a-z]p)in|o(?<![a-z]o)tp)MARK(?:IS|\s)MARK", r"\d{4,10}(?!\w)"),
    (r"""(?:passw(?:or)?d(?:\s{1,9}|\(\s?)|auth[=(]\(?QUOTED,\s{0,9})(?=["'])""", "QUOTED"),
    (r"identified\s{1,9}(?:with\s{1,9}\w{1,40}\s{1,9})?by\s{1,9}", r"(?:QUOTED|(?=[a-z]{1,40}\d)[^\s;]+)"),
    (r"(?:(?:mysql\w*|sshpass)\b[^\n]{0,80}?\s-p ?|curl\b[^\n]{0,80}?\s(?:-u|--user)[ =]MARK[\w.@-]{1,60}:)", "WHOLE"),
    (r"bearer(?<!\wbearer)\s{1,9}", r"(?=[a-z_.~+/=-]{0,500}\d)[\w.~+/=-]{6,}"),
    (r"basic(?<!\wbasic)\s{1,9}", r"(?=[a-z+/=]{0,500}\d)[\w+/=]{16,}"),
)  # fmt: skip


class Redactor:
    """Masks secrets. `keys` are words that make a key secret, at the end of any part of its name."""

    def __init__(self, keys: Iterable[str] = KEYS) -> None:
        words = {key: re.split("[-_ ]", _small(key)) for key in keys}
        self._rules: list[tuple[re.Pattern[str], ...]] = []
        # api_key, api-key, api key and apiKey are one word, and have its longest part in them.
        self._key = f"(?:{'|'.join('[-_ ]?'.join(map(re.escape, parts)) for parts in words.values())})"
        self._more = [max(parts, key=len) for key, parts in words.items() if key not in KEYS]
        self.names = lru_cache(4096)(lambda *names: tuple(name and self.text(name) for name in names))
        self._field = lru_cache(4096)(self._masked_field)  # the same few come with record after record

    def text(self, text: str) -> str:
        """Return `text` with each secret in it masked, cut before if it is longer than LONGEST."""
        if len(text) > LONGEST:
            text = f"{text[:LONGEST]}... [cut, {len(text)} characters]"
        # What is masked has one of these in it. Single characters first, for this is what every log call pays for.
        if "=" in text or ":" in text or "'" in text or '"' in text or ">" in text or "--" in text or "earer " in text:
            s = text.lower() if text.isascii() else _small(text)
            if (
                ("ss" in s and ("passw" in s or "passp" in s or (("pass" in s or "sess" in s) and _short(s))))
                or ("k" in s and (("ke" in s and ("key" in s or "token" in s)) or "kie" in s or "hooks" in s))
                or ("cre" in s and ("secret" in s or "cred" in s)) or ("z" in s and "authoriz" in s)
                or ("b" in s and ("bearer" in s or "basic" in s or "fied by" in s or "/bot" in s))
                or ("si" in s and ("sig" in s or "sid" in s) and _short(s)) or ("w" in s and "pwd" in s)
                or ("p" in s and ("pin" in s or "otp" in s) and _short(s)) or ("q" in s and "mysql" in s)
                or ("u" in s and (("auth" in s and _short(s)) or "curl" in s)) or ("@" in s and "://" in s)
                or (self._more and any(word in s for word in self._more))
            ):  # fmt: skip
                return self._mask(text)
        if (
            ("-" in text and ("k-" in text or "pat-" in text or "pypi-" in text or "xox" in text or "xapp-" in text))
            or ("_" in text and _underscored(text)) or ("S" in text and ("SG." in text or "SK" in text))
            or ("J" in text and "eyJ" in text) or ("I" in text and ("IA" in text or "AIza" in text))
        ):  # fmt: skip
            return _BARE.sub(MASK, text)
        return text

    def _mask(self, text: str) -> str:
        text = _BARE.sub(MASK, text)
        small = _small(text)
        # Compiled when first needed, for it takes 15 ms. No lock: a fork may come amid it, and twice does no harm.
        for lead, value, shown in self._rules or self._compile():
            parts, at, found = [""], 0, lead.search(small)
            while found:
                end = found.end()
                if not shown.match(small, end) and (secret := value.match(small, end)):
                    parts += text[at:end], MASK
                    at = end = secret.end()
                found = lead.search(small, end)
            if at:
                text = "".join((*parts, text[at:]))
                small = _small(text)
        return text

    def _compile(self) -> list[tuple[re.Pattern[str], ...]]:
        def expand(pattern: str) -> str:
            return re.sub("|".join(parts), lambda name: expand(parts[name[0]]), pattern)

        parts = {**_PARTS, "KEY": self._key}
        self._rules = [tuple(re.compile(expand(pattern)) for pattern in (*rule, "SHOWN")) for rule in _RULES]
        return self._rules

    def fields(self, fields: dict[str, Any]) -> dict[str, Any]:
        """Return `fields` with the value of each secret key masked, and each text looked through."""
        return {(f := self._field(k))[0]: self._under(f, v) if f[1] else self._value(v) for k, v in fields.items()}

    def _under(self, field: tuple[str, str, bool, bool], value: Any) -> Any:
        """Mask a value as it would be in text; a collection if the field's name makes any word a secret."""
        _, name, secret, number = field
        if isinstance(value, int | float):
            secret = number and not isinstance(value, bool)
        elif isinstance(value, str):
            secret = bool(name) and self._mask(f"{name}={value}") != f"{name}={value}"
        return MASK if secret and value is not None else self._value(value)

    def _value(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return self.fields(value)
        if isinstance(value, tuple):
            if len(value) == 2 and isinstance(value[0], str):  # may be a key and its value, as headers often are
                return (self.text(value[0]), self._under(self._field(value[0]), value[1]))
            return tuple(map(self._value, value))
        return value

    def _masked_field(self, key: str) -> tuple[str, str, bool, bool]:
        """Return a field's name, masked; its name to judge texts by, or ""; if a word and if a number is secret."""
        name = re.sub(r"\W+", "_", key)
        word, number, other = (self.text(f"{name}={it}").endswith(MASK) for it in ("swordfish", "4711", "x7q2m9kp4z"))
        return self.text(key), name if word or number or other else "", word, number


class NoRedactor(Redactor):
    """Masks nothing: what LOG_REDACT=off asks for."""

    def text(self, text: str) -> str:
        return text

    fields = text  # type: ignore[assignment]


def _small(text: str) -> str:
    """Return `text` in small letters, of the same length; some that are not ASCII count as i and s."""
    return text.replace("\u0130", "i").lower().replace("\u0131", "i").replace("\u017f", "s")


class _Current:
    """The redactor in force in this process; a holder, so that importers see a later change."""

    def configure(self, *, on: bool, keys: Iterable[str] = ()) -> None:
        """Mask the values of `keys` too, beside those of KEYS; or mask nothing."""
        self.use(Redactor((*KEYS, *keys)) if on else NoRedactor((*KEYS, *keys)))

    def use(self, redactor: Redactor) -> None:
        self.redactor, self.text, self.fields, self.names = redactor, redactor.text, redactor.fields, redactor.names


redact = _Current()
redact.use(Redactor())
