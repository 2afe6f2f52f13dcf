/// The style sheet and script of a preview page.
enum PreviewAssets {
  static let style = """
    :root { color-scheme: light dark; --line: light-dark(#d7dbe2, #343a46); --soft: light-dark(#5b6472, #a3acba);
      --ground: light-dark(#ffffff, #1a1d23); }
    * { box-sizing: border-box; }
    body { margin: 0; background: light-dark(#eceef2, #101216); color: light-dark(#15181e, #eceef2);
      font: 15px/1.5 system-ui, -apple-system, "Apple SD Gothic Neo", "Malgun Gothic", "Noto Sans CJK KR", sans-serif; }
    header { position: sticky; top: 0; z-index: 1; display: flex; flex-wrap: wrap; gap: 6px 16px; align-items: center;
      padding: 8px 16px; background: var(--ground); border-bottom: 1px solid var(--line); }
    .choice { display: flex; flex-wrap: wrap; gap: 2px 10px; margin: 0; padding: 2px 10px; border: 1px solid var(--line);
      border-radius: 8px; }
    .choice label { white-space: nowrap; cursor: pointer; }
    .choice input { margin: 0 4px 0 0; vertical-align: -1px; }
    main { padding: 16px; }
    nav a { margin-right: 12px; }
    a { color: light-dark(#1d4ed8, #93b4ff); }
    h2 { margin: 0; font-size: 20px; }
    h3 { margin: 0 0 4px; font-size: 15px; }
    .message { margin: 24px 0 40px; scroll-margin-top: 64px; }
    .message > p { margin: 0 0 8px; color: var(--soft); }
    article { margin: 0 0 20px; padding: 14px 16px; background: var(--ground); border: 1px solid var(--line);
      border-radius: 10px; }
    .inbox { max-width: 720px; margin: 0 0 12px; padding: 8px 12px; border: 1px solid var(--line); border-radius: 8px;
      overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
    .inbox span { color: var(--soft); }
    .parts { display: flex; flex-wrap: wrap; gap: 16px; align-items: flex-start; }
    figure { max-width: 100%; margin: 0; overflow-x: auto; }
    figcaption { color: var(--soft); font-size: 13px; }
    .text { flex: 0 1 360px; }
    pre { margin: 0; padding: 12px; border: 1px solid var(--line); border-radius: 6px; white-space: pre-wrap;
      overflow-wrap: anywhere; font: 14px/1.6 ui-monospace, "Noto Sans Mono CJK KR", "D2Coding", monospace; }
    iframe { display: block; border: 1px solid var(--line); border-radius: 6px; box-sizing: content-box; }
    .hint { margin: 8px 0 0; color: var(--soft); font-size: 13px; }
    .problems { margin: 0 0 16px; padding: 12px 16px; background: light-dark(#fff3f0, #3a1d18);
      border: 2px solid light-dark(#d4371c, #ff8a75); border-radius: 10px; }
    .problems p { margin: 4px 0; }
    .problems ul { margin: 6px 0 0; padding-left: 20px; }
    .problems li { margin: 4px 0; overflow-wrap: anywhere; }
    .problems li.warning::marker { content: "△ "; }
    .problems li.error::marker { content: "✕ "; }
    .problems code { font-family: ui-monospace, monospace; }
    body:has([name=sample][value=examples]:checked) article:not([data-sample~=examples]),
    body:has([name=sample][value=long]:checked) article:not([data-sample~=long]),
    body:has([name=sample][value=zeros]:checked) article:not([data-sample~=zeros]),
    body:has([name=width][value=phone]:checked) figure[data-width=desktop],
    body:has([name=width][value=desktop]:checked) figure[data-width=phone],
    body:has([name=scheme][value=light]:checked) figure[data-scheme=dark],
    body:has([name=scheme][value=dark]:checked) figure[data-scheme=light] { display: none; }
    """

  // Frames grow to fit their content; the chosen options survive a reload.
  static let script = """
    "use strict";
    const fit = (frame) => {
      const page = frame.contentDocument && frame.contentDocument.documentElement;
      if (page && frame.offsetParent) { frame.height = 0; frame.height = Math.max(page.scrollHeight, 120); }
    };
    const frames = document.querySelectorAll("iframe");
    for (const frame of frames) { frame.addEventListener("load", () => fit(frame)); fit(frame); }
    const keep = (key, value) => { try { sessionStorage.setItem(key, value); } catch { } };
    const kept = (key) => { try { return sessionStorage.getItem(key); } catch { return null; } };
    for (const choice of document.querySelectorAll("header input")) {
      if (kept(choice.name) === choice.value) choice.checked = true;
      choice.addEventListener("change", () => { keep(choice.name, choice.value); frames.forEach(fit); });
    }
    const follow = (version) => {
      const changes = new EventSource("/changes");
      changes.onmessage = (event) => { if (event.data !== version) location.reload(); };
    };
    """
}
