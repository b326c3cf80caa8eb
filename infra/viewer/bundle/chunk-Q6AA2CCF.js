import{f as r}from"./chunk-U6GHCFHH.js";r();
