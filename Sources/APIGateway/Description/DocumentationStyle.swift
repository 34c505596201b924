extension DocumentationPage {
  static let style = """
    :root { color-scheme: light dark; --line: #8884; --soft: #8881; }
    body { display: grid; grid-template-columns: 12rem minmax(0, 60rem); gap: 2rem; margin: 0 auto; padding: 1rem;
      max-width: 75rem; font: 16px/1.5 system-ui, sans-serif; }
    nav { position: sticky; top: 1rem; align-self: start; }
    nav h1 { font-size: 1.2rem; margin: 0; }
    nav ul { list-style: none; padding: 0; }
    h2 { border-bottom: 2px solid var(--line); text-transform: capitalize; }
    h3 { font-size: 1.05rem; margin: 0; }
    h4 { margin: .8rem 0 .2rem; font-size: .9rem; }
    section { border: 1px solid var(--line); border-radius: 6px; padding: 1rem; margin: 1rem 0; }
    section p { margin: .4rem 0; }
    table { border-collapse: collapse; width: 100%; font-size: .9rem; }
    td { border-top: 1px solid var(--line); padding: .25rem .5rem .25rem 0; vertical-align: top; }
    td:first-child { width: 10rem; overflow-wrap: anywhere; }
    ul { margin: .2rem 0; padding-left: 1.2rem; }
    code { background: var(--soft); border-radius: 3px; padding: 0 .25em; overflow-wrap: anywhere; }
    code.get { color: #1a7f37; } code.post { color: #0969da; } code.put, code.patch { color: #9a6700; }
    code.delete { color: #cf222e; }
    .problem { opacity: .75; }
    @media (max-width: 50rem) { body { display: block; } nav { position: static; } }
    """
}
