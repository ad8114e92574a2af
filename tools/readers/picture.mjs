// Pictures of .glb and .vrm files in three.js in a headless Chromium, which draws in software.
//
//   node picture.mjs SIZE JOBS    JOBS: JSON, [{file, pictures: [{out, weights: {KEY: 1}, turn: 20}]}];
//                                 out: a PNG; turn: degrees round the head
import { createServer } from 'node:http';
import { readFile } from 'node:fs/promises';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import puppeteer from 'puppeteer-core';

const size = Number(process.argv[2]);
const jobs = JSON.parse(process.argv[3]);
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
  const box = new THREE.Box3().setFromObject(head, true);
  const middle = box.getCenter(new THREE.Vector3()), high = box.getSize(new THREE.Vector3()).y;
  const camera = new THREE.PerspectiveCamera(20, 1, 0.01, 10);
  const far = 0.62 * high / Math.tan(Math.PI / 18);
  const given = [];
  head.traverse((thing) => {
    if (thing.isMesh && thing.morphTargetInfluences) given.push([thing, [...thing.morphTargetInfluences]]);
  });
  window.draw = (weights, turn) => {
    for (const [thing, values] of given) {
      values.forEach((value, index) => { thing.morphTargetInfluences[index] = value; });
      for (const [name, value] of Object.entries(weights)) {
        const index = thing.morphTargetDictionary[name];
        if (index !== undefined) thing.morphTargetInfluences[index] = value;
      }
    }
    const angle = turn * Math.PI / 180;
    camera.position.set(far * Math.sin(angle), 0, far * Math.cos(angle)).add(middle);
    camera.lookAt(middle);
    renderer.render(scene, camera);
  };
  document.title = 'ready';
} catch (error) {
  document.title = 'failed: ' + error;
}
</script>`;

let current = '';
const server = createServer(async (request, answer) => {
  const path = decodeURIComponent(new URL(request.url, 'http://localhost').pathname);
  try {
    let data = PAGE, kind = '.html';
    if (path === '/file') {
      [data, kind] = [await readFile(current), ''];
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
const titles = [], said = [];
try {
  const page = await browser.newPage();
  page.on('console', (message) => said.push(`${message.type()}: ${message.text()}`));
  page.on('pageerror', (error) => said.push(String(error)));
  await page.setViewport({ width: size, height: size });
  for (const { file, pictures } of jobs) {
    current = file;
    await page.goto(`http://127.0.0.1:${server.address().port}/`);
    await page.waitForFunction(() => document.title !== '', { timeout: 60000 });
    titles.push(await page.title());
    for (const { out, weights = {}, turn = 0 } of pictures) {
      await page.evaluate((values, angle) => window.draw(values, angle), weights, turn);
      await page.screenshot({ path: out });
    }
  }
  console.log(JSON.stringify({ titles, said }));
} finally {
  await browser.close();
  server.close();
}
