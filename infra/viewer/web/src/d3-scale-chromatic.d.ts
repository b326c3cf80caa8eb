// The package has no types of its own. Each scheme turns a part from 0 to 1 into a colour.
declare module 'd3-scale-chromatic';
