// What nobody should be able to run, open or hide in a page: thirty texts, each of which has done so somewhere.
"use strict";

const PAYLOADS = [
  `<script>alert(1)</script>`,
  `"><script>alert(1)</script>`,
  `</code></pre><script>alert(1)</script>`,
  `</title><script>alert(1)</script>`,
  `<scr<script>ipt>alert(1)</scr</script>ipt>`,
  `<SCRIPT SRC=//127.0.0.1:9/x.js></SCRIPT>`,
  `<img src=x onerror=alert(1)>`,
  `'><img src=x onerror=alert(1)//`,
  `<svg onload=alert(1)>`,
  `<svg><animate onbegin=alert(1) attributeName=x dur=1s>`,
  `<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>`,
  `<iframe srcdoc="<script>alert(1)</script>"></iframe>`,
  `<object data="data:text/html,<script>alert(1)</script>"></object>`,
  `<a href="javascript:alert(1)">here</a>`,
  `<a href=" &#106;avascript:alert(1)">here</a>`,
  `<form action="//127.0.0.1:9/"><input name=csrf><button>Retry</button></form>`,
  `<base href="//127.0.0.1:9/">`,
  `<meta http-equiv=refresh content="0;url=//127.0.0.1:9/">`,
  `<link rel=stylesheet href="//127.0.0.1:9/x.css">`,
  `<style>body{display:none}</style>`,
  `<details open ontoggle=alert(1)>`,
  `<input autofocus onfocus=alert(1)>`,
  `" autofocus onfocus=alert(1) x="`,
  `javascript:alert(1)`,
  `{{constructor.constructor('alert(1)')()}} \${7*7} #{7*7} <%= 7*7 %>`,
  `<!--><img src=x onerror=alert(1)>-->`,
  `<![CDATA[<script>alert(1)</script>]]>`,
  `\u202egnp.exe \u2066hidden\u2069 \u200b\ufeff`,
  `\u001b[2J\u001b]0;title\u0007\u0000\u0008`,
  `&lt;script&gt;alert(1)&lt;/script&gt; &#60;script&#62;`,
];

module.exports = { PAYLOADS };
