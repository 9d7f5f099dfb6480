// Opens the bundle that scripts/build.mjs made, and loads parts of it when they are asked for.
//
// All parts lie in one file, which stays open: an upgrade in the middle of a run cannot take away a part that is loaded late. V8's code cache
// was made by the build and is only read here, as a read-only command writes nothing. It lies beside the bundle and is as trusted; V8 rejects
// it for another V8 or other flags, and another bundle has another name.
"use strict";

const fs = require("fs");
const path = require("path");
const url = require("url");
const vm = require("vm");

exports.open = (dist, index = indexOf(dist)) => {
  const filename = path.join(dist, index.bundle);
  const bundleUrl = url.pathToFileURL(filename).href;
  const file = fs.openSync(filename, "r");
  const caches = cachesOf(filename);
  const loaded = new Map();
  const scripts = new Map();

  const load = (name) => {
    const place = index.places[name];
    if (place === undefined) return require(name);
    const known = loaded.get(name);
    if (known !== undefined) return known;

    const script = new vm.Script(textAt(file, place), {
      filename,
      lineOffset: place[2],
      cachedData: caches(name),
    });
    const module = { exports: {} };
    loaded.set(name, module.exports);
    scripts.set(name, script);
    script.runInThisContext()(module.exports, load, filename, dist, bundleUrl, module);
    loaded.set(name, module.exports);
    return module.exports;
  };

  // `import()` of a part. What was CommonJS has its exports under their names and as the default, as Node gives them.
  load.later = async (name, isCommonJs) => {
    const part = load(name);
    return isCommonJs ? Object.assign({}, part.default, { default: part.default }) : part;
  };

  // The real `import()`, of a user's module. In a script that comes from a code cache it would not work: V8 forgets there who imports.
  load.real = (specifier, options) => import(specifier, options);

  return { require: load, scripts };
};

function indexOf(dist) {
  try {
    return JSON.parse(fs.readFileSync(path.join(dist, "build.json"), "utf8"));
  } catch (error) {
    throw new Error(`setpoint is not built (${error.message}); run \`npm run build\` in its folder`);
  }
}

// The build leaves only ASCII in the bundle, so latin1 reads it rightly, and fastest.
function textAt(file, place) {
  const buffer = Buffer.allocUnsafeSlow(place[1]);
  for (let done = 0; done < buffer.length; ) {
    const count = fs.readSync(file, buffer, done, buffer.length - done, place[0] + done);
    if (count === 0) throw new Error("setpoint's bundle is cut short; install it again");
    done += count;
  }
  return buffer.latin1Slice();
}

// A cache file begins with one line of JSON, padded, that tells where the cache of each part is.
function cachesOf(filename) {
  if (process.env.SETPOINT_NO_CODE_CACHE === "1") return () => undefined;
  try {
    const bytes = fs.readFileSync(`${filename}.${process.version}-${process.arch}.cache`);
    const places = JSON.parse(bytes.latin1Slice(0, bytes.indexOf(10)));
    return (name) => (places[name] === undefined ? undefined : bytes.subarray(places[name][0], places[name][0] + places[name][1]));
  } catch (_none) {
    return () => undefined;
  }
}
