// What other programs' readers make of a file, as JSON on standard output.
//
//   node read.mjs validate FILE           Khronos' glTF validator: its report
//   node read.mjs three FILE KEY...       three.js: meshes, bones, and where each KEY moves vertices
//   node read.mjs vrm FILE EXPRESSION...  @pixiv/three-vrm: the same for expressions
//   node read.mjs meshopt FILE            meshoptimizer's decoder: {streams: [{mode, count, size, data}]}
//                                         in, the decoded bytes of each out, in base64
import { readFile } from 'node:fs/promises';
import validator from 'gltf-validator';
import { MeshoptDecoder } from 'meshoptimizer';
import { Vector3 } from 'three';
import { GLTFLoader } from 'three/examples/jsm/loaders/GLTFLoader.js';

// What three.js takes from a browser to load a picture; the pictures themselves are not looked at.
globalThis.self = globalThis;
globalThis.ProgressEvent ??= class { constructor(type) { this.type = type; } };
globalThis.createImageBitmap = async () => ({ width: 1, height: 1, close() {} });

const LEAST = 1e-5;  // metres: what moves less counts as still

async function load(path, plugin) {
  await MeshoptDecoder.ready;
  const loader = new GLTFLoader();
  loader.setMeshoptDecoder(MeshoptDecoder);
  if (plugin) loader.register(plugin);
  const data = await readFile(path);
  return await loader.parseAsync(data.buffer.slice(data.byteOffset, data.byteOffset + data.length), '');
}

function meshesOf(root) {
  const found = [];
  root.traverse((thing) => { if (thing.isMesh) found.push(thing); });
  return found;
}

/** Places of all vertices in the world, with what morph targets and bones do. */
function points(meshes) {
  return meshes.map((mesh) => {
    const out = [];
    for (let i = 0; i < mesh.geometry.attributes.position.count; i++) {
      const at = mesh.getVertexPosition(i, new Vector3()).applyMatrix4(mesh.matrixWorld);
      out.push(at);
    }
    return out;
  });
}

/** How many vertices moved, where they are and whereto they went, weighted by how far. */
function moved(before, after) {
  let count = 0, weight = 0, most = 0;
  const place = new Vector3(), way = new Vector3();
  before.forEach((row, m) => row.forEach((from, i) => {
    const step = after[m][i].clone().sub(from), far = step.length();
    if (far < LEAST) return;
    count += 1; weight += far; most = Math.max(most, far);
    place.addScaledVector(from, far); way.addScaledVector(step, far);
  }));
  if (weight) { place.divideScalar(weight); way.divideScalar(weight); }
  return { count, most, place: place.toArray(), way: way.toArray() };
}

function measure(root, names, set) {
  const meshes = meshesOf(root);
  for (const name of names) set(name, 0);
  root.updateMatrixWorld(true);
  const rest = points(meshes), out = {};
  for (const name of names) {
    set(name, 1);
    root.updateMatrixWorld(true);
    out[name] = moved(rest, points(meshes));
    set(name, 0);
  }
  const box = [[1e9, 1e9, 1e9], [-1e9, -1e9, -1e9]];
  for (const row of rest) for (const at of row) at.toArray().forEach((x, k) => {
    box[0][k] = Math.min(box[0][k], x); box[1][k] = Math.max(box[1][k], x);
  });
  return { moved: out, box };
}

/** What half a radian of the head to its left moves, about an axis that is nearly the vertical: the
 *  neck below leans. */
function turned(root, head) {
  const meshes = meshesOf(root);
  const rest = points(meshes), was = head.quaternion.clone();
  head.rotateOnWorldAxis(new Vector3(0, 1, 0), 0.5);
  root.updateMatrixWorld(true);
  const out = moved(rest, points(meshes));
  head.quaternion.copy(was);
  root.updateMatrixWorld(true);
  return { ...out, of: rest.reduce((sum, row) => sum + row.length, 0) };
}

function about(root) {
  const bones = new Set(), keys = new Set();
  let triangles = 0, vertices = 0;
  for (const mesh of meshesOf(root)) {
    triangles += mesh.geometry.index.count / 3;
    vertices += mesh.geometry.attributes.position.count;
    Object.keys(mesh.morphTargetDictionary ?? {}).forEach((key) => keys.add(key));
    mesh.skeleton?.bones.forEach((bone) => bones.add(bone.name));
  }
  return { triangles, vertices, keys: [...keys], bones: [...bones] };
}

const COMMANDS = {
  async validate(path) {
    const data = new Uint8Array(await readFile(path));
    return await validator.validateBytes(data, { maxIssues: 0, uri: path, writeTimestamp: false });
  },

  async three(path, ...names) {
    const { scene } = await load(path);
    const meshes = meshesOf(scene);
    const found = measure(scene, names, (name, value) => {
      for (const mesh of meshes) {
        const index = mesh.morphTargetDictionary?.[name];
        if (index !== undefined) mesh.morphTargetInfluences[index] = value;
      }
    });
    return { ...about(scene), ...found };
  },

  async vrm(path, ...names) {
    const { VRMLoaderPlugin } = await import('@pixiv/three-vrm');
    const gltf = await load(path, (parser) => new VRMLoaderPlugin(parser));
    const { vrm } = gltf.userData;
    const manager = vrm.expressionManager;
    const found = measure(gltf.scene, names, (name, value) => {
      manager.setValue(name, value);
      manager.update();
    });
    return {
      ...about(gltf.scene),
      ...found,
      turned: turned(gltf.scene, vrm.humanoid.getRawBoneNode('head')),
      meta: vrm.meta,
      bones: Object.keys(vrm.humanoid.humanBones),
      head: vrm.humanoid.getRawBoneNode('head').getWorldPosition(new Vector3()).toArray(),
      expressions: manager.expressions.map((one) => one.expressionName),
      presets: Object.keys(manager.presetExpressionMap),
      custom: Object.keys(manager.customExpressionMap),
      lookAt: vrm.lookAt?.applier?.constructor?.type ?? null,
    };
  },

  async meshopt(path) {
    await MeshoptDecoder.ready;
    const { streams } = JSON.parse(await readFile(path, 'utf8'));
    return streams.map(({ mode, count, size, data }) => {
      const out = new Uint8Array(count * size);
      MeshoptDecoder.decodeGltfBuffer(out, count, size, Buffer.from(data, 'base64'), mode);
      return Buffer.from(out).toString('base64');
    });
  },
};

const [command, ...rest] = process.argv.slice(2);
console.log(JSON.stringify(await COMMANDS[command](...rest)));
