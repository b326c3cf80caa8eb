import"./chunk-4L5RI3VG.js";var e=void 0;export{e as default};
