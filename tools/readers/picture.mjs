// A picture of a .glb or .vrm in three.js in a headless Chromium, which draws in software.
//
//   node picture.mjs FILE OUT.png [KEY=WEIGHT | size=PIXELS | turn=DEGREES]...
import { createServer } from 'node:http';
import { readFile } from 'node:fs/promises';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import puppeteer from 'puppeteer-core';

const [file, out, ...settings] = process.argv.slice(2);
const values = Object.fromEntries(settings.map((one) => {
  const [name, value] = one.split('=');
  return [name, Number(value)];
}));
const { size = 512, turn = 0, ...weights } = values;
const here = fileURLToPath(new URL('.', import.meta.url));
const KINDS = { '.js': 'text/javascript', '.html': 'text/html', '.wasm': 'application/wasm' };

const PAGE = `<!doctype html><body style="margin:0"><script type="importmap">
{"imports": {"three": "/node_modules/three/build/three.module.js",
             "three/addons/": "/node_modules/three/examples/jsm/",
             "meshoptimizer": "/node_modules/meshoptimizer/meshopt_decoder.mjs"}}
</script><script type="module">
import * as THREE from 'three';
import { GLTFLoader } from 'three/addons/loaders/GLTFLoader.js';
import { RoomEnvironment } from 'three/addons/environments/RoomEnvironment.js';
import { MeshoptDecoder } from 'meshoptimizer';
try {
  const loader = new GLTFLoader().setMeshoptDecoder(MeshoptDecoder);
  const { scene: head } = await loader.loadAsync('/file');
  const renderer = new THREE.WebGLRenderer({ antialias: true, preserveDrawingBuffer: true });
  renderer.setSize(${size}, ${size});
  renderer.toneMapping = THREE.NeutralToneMapping;
  document.body.append(renderer.domElement);
  const scene = new THREE.Scene();
  scene.background = new THREE.Color(0x9a9a9a);
  const light = new THREE.PMREMGenerator(renderer).fromScene(new RoomEnvironment(), 0.04);
  scene.environment = light.texture;
  scene.environmentIntensity = 0.5;
  const key = new THREE.DirectionalLight(0xffffff, 1.6);
  key.position.set(0.6, 0.9, 1.2);
  scene.add(key, head);
  const weights = ${JSON.stringify(weights)};
  head.traverse((thing) => {
    for (const [name, value] of Object.entries(weights)) {
      const index = thing.morphTargetDictionary?.[name];
      if (index !== undefined) thing.morphTargetInfluences[index] = value;
    }
  });
  const box = new THREE.Box3().setFromObject(head, true);
  const middle = box.getCenter(new THREE.Vector3()), high = box.getSize(new THREE.Vector3()).y;
  const camera = new THREE.PerspectiveCamera(20, 1, 0.01, 10);
  const angle = ${turn} * Math.PI / 180, far = 0.62 * high / Math.tan(Math.PI / 18);
  camera.position.set(middle.x + far * Math.sin(angle), middle.y, middle.z + far * Math.cos(angle));
  camera.lookAt(middle);
  renderer.render(scene, camera);
  document.title = 'done';
} catch (error) {
  document.title = 'failed: ' + error;
}
</script>`;

const server = createServer(async (request, answer) => {
  const path = decodeURIComponent(new URL(request.url, 'http://localhost').pathname);
  try {
    let data = PAGE, kind = '.html';
    if (path === '/file') {
      [data, kind] = [await readFile(file), ''];
    } else if (path.startsWith('/node_modules/')) {
      [data, kind] = [await readFile(join(here, normalize(path))), extname(path).replace('mjs', 'js')];
    }
    answer.writeHead(200, { 'Content-Type': KINDS[kind] ?? 'application/octet-stream' }).end(data);
  } catch {
    answer.writeHead(404).end();
  }
});
await new Promise((ready) => server.listen(0, '127.0.0.1', ready));
const browser = await puppeteer.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--use-angle=swiftshader', '--enable-unsafe-swiftshader'],
});
try {
  const page = await browser.newPage();
  const said = [];
  page.on('console', (message) => said.push(`${message.type()}: ${message.text()}`));
  page.on('pageerror', (error) => said.push(String(error)));
  await page.setViewport({ width: size, height: size });
  await page.goto(`http://127.0.0.1:${server.address().port}/`);
  await page.waitForFunction(() => document.title !== '', { timeout: 60000 });
  const title = await page.title();
  await page.screenshot({ path: out });
  console.log(JSON.stringify({ title, said }));
} finally {
  await browser.close();
  server.close();
}
