import{f as e}from"./chunk-U6GHCFHH.js";e();var f=void 0;export{f as default};
