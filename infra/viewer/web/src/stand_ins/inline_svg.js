// Stands in for react-inlinesvg, which parses an icon again at each place where it stands. Those of the first page are here.
import { createElement, useEffect, useState } from 'react';

/* global ICONS -- build.mjs puts them here: the text of each file by its address. */
const texts = new Map(Object.entries(ICONS));
const asked = new Map();

function ask(src) {
  if (!asked.has(src)) {
    const answer = fetch(src).then((response) => (response.ok ? response.text() : ''));
    asked.set(
      src,
      answer.catch(() => '').then((text) => texts.set(src, text)),
    );
  }
  return asked.get(src);
}

export default function InlineSvg({ src, loader, innerRef, title, onLoad, onError: _, ...others }) {
  const [, redraw] = useState();
  const text = texts.get(src);
  useEffect(() => {
    if (text !== undefined) return onLoad?.();
    let current = true;
    void ask(src).then(() => current && redraw({}));
    return () => {
      current = false;
    };
  }, [src, text, onLoad]);
  const [, attributes, inside] = text?.match(/<svg([^>]*)>([\s\S]*)<\/svg>/) ?? [];
  if (inside === undefined) return loader ?? null;
  const written = (name) => attributes.match(new RegExp(`\\s${name}="([^"]*)"`))?.[1];
  return createElement(
    'svg',
    { ref: innerRef, viewBox: written('viewBox'), fill: written('fill'), ...others },
    title ? createElement('title', null, title) : null,
    createElement('g', { dangerouslySetInnerHTML: { __html: inside } }),
  );
}
