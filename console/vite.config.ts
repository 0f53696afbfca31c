import adapterStatic from '@sveltejs/adapter-static'
import { sveltekit } from '@sveltejs/kit/vite'
import { defineConfig } from 'vite'

/** Where `vite dev` sends API, sockets and media: a running hub. */
const hub = process.env['HUB_DEV_URL'] ?? 'http://127.0.0.1:8080'

export default defineConfig({
  plugins: [
    sveltekit({
      adapter: adapterStatic({
        pages: 'dist',
        assets: 'dist',
        fallback: 'index.html',
        precompress: true,
      }),
      // The page asks for nothing from anywhere else, so it also works at any depth of address.
      paths: { relative: false },
    }),
  ],
  // Last Chromium on Windows 7. It lowers syntax only; built-ins and CSS are watched by a house test.
  build: { target: 'chrome109', cssTarget: 'chrome109' },
  server: {
    fs: { allow: ['..'] },
    proxy: {
      '/api': hub,
      '/media': { target: hub, ws: true },
      '/socket.io': { target: hub, ws: true },
    },
  },
})
