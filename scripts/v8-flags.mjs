// How V8 is set where it runs the code that was compiled at the build; it takes such code only where it is set as it was then.

/**
 * So much must a function have run before V8 optimizes it, about seven times the usual. Most runs end within a second: what is optimized in that
 * time is hardly used, and cost a sixth of a night. Runs of minutes are as fast as before.
 */
export const V8_FLAGS = '--interrupt-budget=500000';
