// Stands in for parts that are loaded when they are used, and that nothing here uses: editors of code, maps.
export default undefined;
