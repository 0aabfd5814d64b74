"""The rules of redaction: which keys, texts and tokens are secrets. Data for redaction.py, each rule in linear time."""

import re
from collections.abc import Callable
from functools import cache
from typing import Final

KEYS: Final = (
    "password", "passwd", "pwd", "passphrase", "passcode", "secret", "token", "api_key", "access_key", "private_key",
    "account_key", "auth_key", "encryption_key", "signing_key", "master_key", "authorization", "credential", "cookie",
)  # fmt: skip

# Tokens known by their form alone; case matters. Redactor.text looks for their beginnings first, so that `re` compiles
# this when it is first needed.
TOKENS: Final = (
    r"(?<![A-Za-z0-9])(?:A[KS]IA[A-Z0-9]{12,}|SK[0-9a-f]{32}|SG\.[\w-]{16,}\.[\w-]{16,}|eyJ[\w-]{8,}(?:\.[\w-]{4,})+"
    r"|(?:gh[opusr]_|github_pat_|gl(?:pat|dt|ptt|rt|cbt|soat|ft)-|xox[a-z]-|xapp-|[sr]k_(?:live|test)_|AIza|ya29\.|npm_"
    r"|pypi-|sk-(?:proj|ant|svcacct)-|hf_|shp[a-z]{2}_|do[opr]_v1_|dckr_pat_|whsec_|hvs\.)(?=[a-z_.-]{0,99}[A-Z0-9])[\w.-]{16,})"
)

# Parts of the rules, named in capitals; KEY is any secret word. Repetitions are bounded, or end a match: linear time.
PARTS: Final = {
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
    # Not a secret: a number, the first word of a state or a message, a type, a placeholder, code, a path.
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
# What precedes a secret, and the secret, in lower-case text. New rules need a word in has_hint().
RULES: Final = (
    (r"-----begin [a-z ]{0,30}private key[a-z ]{0,9}-----", r"(?s:.*?)(?:-----end [a-z ]{0,50}-----|\Z)"),
    (r"://[^\s/@:\"']{0,200}:(?!\d{1,5}[/?#])(?=[^\s\"'@]{0,300}+@)",
     r"""[^\s/"'<>@]*+(?:(?:@[^\s/"'<>@]*+)*|/[^\s"'@]*+)(?=@)"""),
    (r"https?://", r"""[^\s/@:"']{1,500}(?=@)"""),  # most likely a token
    (r"(?:hooks\.slack\.com/[a-z]{1,20}|discord(?:app)?\.com/api/webhooks|/bot(?=\d{8,10}:))/?", r"[\w/:-]{8,}"),
    # A header, to the end of its line or of the string literal that it stands in.
    (r"(?:cookie|authorization)MARK[ \t]{0,3}[:=][ \t]{0,3}",
     r"""(?=[^\s"'\\])(?:[^\r\n"'\\]|(?<==)(?:"[^"\r\n]*"?|'[^'\r\n]*'?)|(?!CUT)["']|\\(?![rn"']))+"""),
    (r"[?&][\w.-]{0,40}?NAME=", r"(?:(?!&[\w.-]{1,40}=|CUT)\S)+"),  # the value ends as the text before the key suggests
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


@cache
def _short() -> Callable[[str], object]:  # compiled when first needed, not at start-up
    return re.compile(r"(?:auth(?!or)|s(?:ess|i[dg])|pass|pin|otp)[\w-]{0,20}\W{0,4}[=:>('0-9]").search


def _has_ss(s: str) -> object:
    return "passw" in s or "passp" in s or "sshp" in s or (("pass" in s or "sess" in s) and _short()(s))


def has_hint(s: str) -> object:
    """Return a true value if `s`, a text in lower case, contains one of the words without which no rule matches.

    Each row tests a letter, then two, before the words that contain them: nearly every log call runs this, and in a
    long text the search for one letter takes a fiftieth of the time that two letters take.
    """
    return (
        ("k" in s and ("ke" in s or "oo" in s) and ("key" in s or "token" in s or "cookie" in s or "hooks" in s))
        or ("s" in s and (("ss" in s and _has_ss(s)) or ("si" in s and ("sig" in s or "sid" in s) and _short()(s))))
        or ("u" in s and ("curl" in s or ("auth" in s and ("authoriz" in s or _short()(s)))))
        or ("b" in s and ("bearer" in s or "basic" in s or "fied by" in s or "/bot" in s))
        or ("p" in s and ("pwd" in s or "mysql" in s or (("pin" in s or "otp" in s) and _short()(s))))
        or ("c" in s and "cre" in s and ("secret" in s or "cred" in s))
        or ("@" in s and "://" in s)
        or ("h" in s and "hmac" in s)
    )
