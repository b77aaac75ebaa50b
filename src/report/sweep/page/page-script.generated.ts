// Made from page-script.ts by `npm run build`; not to be edited.

/** The script of a report page. */
export const pageScript =
  "(function(){function e(e,o,s,c){let l=(e,t,n)=>({left:e-n,right:e+n,top:t-n,bottom:t+n}),u" +
  "=e.map(({x:e,y:t})=>l(e,t,6)),d=o.flatMap(n).map(([e,t])=>l(e,t,2.5)),f=[];return e.map((e" +
  ",n)=>{let{label:o}=e;if(o===null)return null;let l=u.filter((e,t)=>t!==n),p=t(e.x,e.y,c).m" +
  "ap(({place:e,cost:t})=>{let n=i(e,o,c.fontSize),u=r(n,f)+a(n,n)-a(n,s),p=r(n,l);return{pla" +
  "ce:e,box:n,unfit:u>1||p>72,cost:t+p+2*r(n,d)+20*u}}).reduce((e,t)=>t.cost<e.cost?t:e);retu" +
  "rn p.unfit?null:(f.push(p.box),p.place)})}function t(e,t,{fontSize:n,side:r,reach:i}){let " +
  "a=t+n/3,o=[];for(let t=-i;t<=i;t+=4){let n=t>0?30:0,i=1.2*Math.abs(t);for(let s of[`start`" +
  ",`end`,`middle`]){if(s===`middle`&&Math.abs(t)<16)continue;let c=s===(r===`left`?`end`:`st" +
  "art`)?0:s===`middle`?12:40,l=s===`start`?9:s===`end`?-9:0,u=i+c+n;o.push({place:{x:e+l,y:a" +
  "+t,anchor:s},cost:u})}}return o}function n(e){return e.flatMap(([t,n],r)=>{let[i,a]=e[r+1]" +
  "??[t,n],o=Math.max(1,Math.ceil(Math.hypot(i-t,a-n)/5));return Array.from({length:o},(e,r)=" +
  ">[t+(i-t)*r/o,n+(a-n)*r/o])})}function r(e,t){return t.reduce((t,n)=>t+a(e,n),0)}function " +
  "i({x:e,y:t,anchor:n},r,i){let a=.555*i*r.length,o=n===`start`?e:n===`end`?e-a:e-a/2;return" +
  "{left:o,right:o+a,top:t-.9*i,bottom:t+.28*i}}function a(e,t){let n=Math.min(e.right,t.righ" +
  "t)-Math.max(e.left,t.left),r=Math.min(e.bottom,t.bottom)-Math.max(e.top,t.top);return Math" +
  ".max(0,n)*Math.max(0,r)}function o(e){return e.replaceAll(`&`,`&amp;`).replaceAll(`<`,`&lt" +
  ";`).replaceAll(`>`,`&gt;`).replaceAll(`\"`,`&quot;`)}function s(e,t,n=[]){return`<${e}${Obj" +
  "ect.entries(t).filter(([,e])=>e!==void 0).map(([e,t])=>` ${e}=\"${c(t)}\"`).join(``)}>${n.jo" +
  "in(``)}</${e}>`}function c(e){return typeof e==`number`?String(Math.round(e*100)/100):o(e)" +
  "}function l(e,t){let{frame:n}=t,r=e=>n.left+e*(n.right-n.left),i=e=>n.bottom+e*(n.top-n.bo" +
  "ttom),a=e=>i(e.y)-(e.below?15:0),o=[...e.points].sort((e,t)=>Number(t.faded)-Number(e.fade" +
  "d)),s=e.lines.map(e=>({...e,places:e.places.map(([e,t])=>[r(e),i(t)])}));return[...u(e,t)," +
  "...s.map(p),...o.map(e=>f(e,r(e.x),a(e),i)),...m(o.map(e=>({...e,x:r(e.x),y:a(e)})),s,e.si" +
  "de,t)].join(``)}function u(e,{frame:t,fontSize:n}){let{left:r,right:i,top:a,bottom:c}=t,l=" +
  "[],u=-1/0;for(let{at:t,label:d}of e.x.ticks){let e=r+t*(i-r),f=.29*n*d.length;if(l.push(s(" +
  "`line`,{class:`grid`,x1:e,x2:e,y1:a,y2:c})),e-f<u+8||e+f>i+14)continue;let p={class:`tick`" +
  ",x:e,y:c+n+6,\"text-anchor\":`middle`};l.push(s(`text`,p,[o(d)])),u=e+f}for(let{at:t,label:u" +
  "}of e.y.ticks){let e=c+t*(a-c),d={class:`tick`,x:r-8,y:e+n/3,\"text-anchor\":`end`};l.push(s" +
  "(`line`,{class:`grid`,x1:r,x2:i,y1:e,y2:e})),l.push(s(`text`,d,[o(u)]))}let f={class:`titl" +
  "e`,x:i,y:c+2.5*n+8,\"text-anchor\":`end`},p={class:`title`,x:2,y:a-10};return l.push(s(`text" +
  "`,f,[o(d(e.x,i,n))])),l.push(s(`text`,p,[o(d(e.y,i,n))])),l}function d({title:e,note:t},n," +
  "r){let i=Math.floor(n/(.54*r)),a=t?`${e} (${t})`:e;return a.length<=i?a:e.length<=i?e:`${e" +
  ".slice(0,i-1)}…`}function f(e,t,n,r){let{whisker:i}=e,a=[s(`title`,{},[o(e.title)])];if(i)" +
  "{let[e,t]=[r(i[0])-n,r(i[1])-n],o=`M-3 ${e.toFixed(1)}H3M-3 ${t.toFixed(1)}H3M0 ${e.toFixe" +
  "d(1)}V${t.toFixed(1)}`;a.push(s(`path`,{class:`whisker`,d:o}))}return e.below&&a.push(s(`p" +
  "ath`,{class:`whisker`,d:`M0 5V13M-3 10L0 13L3 10`})),a.push(s(`path`,{class:`mark`,d:h(e.s" +
  "hape,5.5)})),s(`g`,{class:`point ${e.colour}${e.faded?` faded`:``}${e.near?` near`:``}`,\"d" +
  "ata-point\":e.id,transform:`translate(${t.toFixed(1)} ${n.toFixed(1)})`},a)}function p({kin" +
  "d:e,colour:t,faded:n,places:r}){return s(e===`band`?`polygon`:`polyline`,{class:`${e} ${t}" +
  "${n?` faded`:``}`.trim(),points:r.map(([e,t])=>`${e.toFixed(1)},${t.toFixed(1)}`).join(` `" +
  ")})}function m(t,n,r,{frame:i,fontSize:a,labelReach:c}){let l=e(t,n.filter(({kind:e})=>e!=" +
  "=`band`).map(({places:e})=>e),i,{fontSize:a,side:r,reach:c});return t.flatMap(({id:e,x:t,y" +
  ":n,label:r},i)=>{let c=l[i];if(!c||r===null)return[];let u=c.y-a/3,d={class:`leader`,x1:t," +
  "y1:n,x2:c.x,y2:u},f={class:`label`,x:c.x,y:c.y,\"text-anchor\":c.anchor};return[...Math.abs(" +
  "u-n)<18?[]:[s(`line`,d)],s(`text`,{...f,\"data-point\":e},[o(r)])]})}function h(e,t){let n=(" +
  "e,t,n)=>`M${Array.from({length:e},(r,i)=>{let a=n+2*Math.PI*i/e;return`${(t*Math.sin(a)).t" +
  "oFixed(2)} ${(-t*Math.cos(a)).toFixed(2)}`}).join(`L`)}Z`,r=t,[i,a]=[1.25*r,.42*r];switch(" +
  "e){case`circle`:return`M${-r} 0A${r} ${r} 0 1 1 ${r} 0A${r} ${r} 0 1 1 ${-r} 0Z`;case`squa" +
  "re`:return n(4,1.27*r,Math.PI/4);case`triangle`:return n(3,1.45*r,0);case`diamond`:return " +
  "n(4,1.35*r,0);case`down`:return n(3,1.45*r,Math.PI);case`pentagon`:return n(5,1.2*r,0);cas" +
  "e`plus`:return`M${-a} ${-i}H${a}V${-a}H${i}V${a}H${a}V${i}H${-a}V${a}H${-i}V${-a}H${-a}Z`;" +
  "case`star`:return`M${Array.from({length:10},(e,t)=>{let n=(t%2==0?1.5:.75)*r,i=Math.PI*t/5" +
  ";return`${(n*Math.sin(i)).toFixed(2)} ${(-n*Math.cos(i)).toFixed(2)}`}).join(`L`)}Z`}}func" +
  "tion g(e,t,n,r){let i=e.measures.find(({id:e})=>e===t),a=e.measures.find(({id:e})=>e===n);" +
  "if(!i||!a)return null;let o=e.rows.flatMap((e,t)=>{let[n,o]=[i.places[t]??null,a.places[t]" +
  "??null];return n===null||o===null||r&&!r.has(e.id)?[]:[{row:e,x:n,y:o,whisker:a.whiskers[t" +
  "]??null}]}),s=_(o,i.growing,a.growing),c=e.near[`${t} ${n}`]??[],l=o.map(e=>({id:e.row.id," +
  "x:e.x,y:Math.max(0,e.y),below:e.y<0,whisker:e.whisker&&e.y>=0?e.whisker:null,colour:e.row." +
  "colour,shape:e.row.shape,label:s.includes(e)?e.row.name:null,faded:!s.includes(e),near:!s." +
  "includes(e)&&c.includes(e.row.id),title:e.row.lines.join(`\n`)})),u={kind:`front`,colour:``" +
  ",places:s.filter(e=>e.y>=0).map(e=>[e.x,e.y])},d=i.growing?`right`:`left`;return{x:i,y:a,l" +
  "ines:u.places.length>1?[u]:[],points:l,side:d}}function _(e,t,n){let[r,i]=[t?-1:1,n?1:-1]," +
  "a=[...e].sort((e,t)=>r*(e.x-t.x)||i*(t.y-e.y)),o=[],s=-1/0;for(let e of a)i*e.y<=s||(s=i*e" +
  ".y,o.push(e));return o}function v(e,t,n=``){let r=document.createElement(e);for(let[e,n]of" +
  " Object.entries(t))r.setAttribute(e,n);return r.textContent=n,r}function y(e){return new S" +
  "et(e.data.view.rows.filter(t=>[...e.filters].every(([e,n])=>n.size===0||n.has(t[e]))).map(" +
  "({id:e})=>e))}function b(e){let t=y(e);for(let[n,{x:r,y:i}]of e.axes){let a=g(e.data.view," +
  "r,i,t);for(let t of document.querySelectorAll(`[data-chart=\"${n}\"] svg`)){let r=e.data.cha" +
  "rts[n]?.layouts[t.getAttribute(`data-size`)??``],i=t.querySelector(`.plot`);a&&r&&i&&(i.in" +
  "nerHTML=l(a,r))}}for(let e of document.querySelectorAll(`[data-point]`)){let n=!t.has(e.ge" +
  "tAttribute(`data-point`)??``);e.classList.toggle(`out`,n)}let n=e.data.view.rows.flatMap((" +
  "{id:e,colour:n})=>t.has(e)?[n]:[]);for(let e of document.querySelectorAll(`.plot .curve, ." +
  "plot .band`))e.classList.toggle(`out`,!n.some(t=>e.classList.contains(t)));let r=document." +
  "getElementById(`chosen`),i=document.getElementById(`shown`);r&&(r.hidden=[...e.filters.val" +
  "ues()].every(({size:e})=>e===0)),i&&(i.textContent=`${t.size} of ${e.data.view.rows.length" +
  "} points`),x()}function x(){for(let e of document.querySelectorAll(`svg.chart`)){e.setAttr" +
  "ibute(`role`,`group`);let t=[...e.querySelectorAll(`g[data-point]:not(.out)`)];for(let[e,n" +
  "]of t.entries()){let r=n.querySelector(`title`);r&&n.setAttribute(`aria-label`,(r.textCont" +
  "ent??``).replaceAll(`\n`,`, `)),r?.remove(),n.setAttribute(`role`,`button`),n.setAttribute(" +
  "`tabindex`,e===t.length-1?`0`:`-1`)}}}function S(e){let t=document.getElementById(`filters" +
  "`);if(!t)return;for(let n of e.filters.keys()){let r=[...new Set(e.data.view.rows.map(e=>e" +
  "[n]))];if(r.length<2)continue;let i=v(`div`,{role:`group`,\"aria-label\":`filter by ${n}`,cl" +
  "ass:`chips`});i.append(v(`span`,{class:`chips-name`},n));for(let t of r)i.append(C(e,n,t))" +
  ";t.append(i)}let n=v(`button`,{type:`button`,class:`clear`},`show all`);n.addEventListener" +
  "(`click`,()=>{for(let t of e.filters.values())t.clear();for(let e of t.querySelectorAll(`[" +
  "aria-pressed]`))e.setAttribute(`aria-pressed`,`false`);b(e)});let r=v(`div`,{id:`chosen`,c" +
  "lass:`chips`,hidden:``});r.append(n,v(`span`,{id:`shown`,role:`status`,class:`note`})),t.a" +
  "ppend(r)}function C(e,t,n){let r=v(`button`,{type:`button`,\"aria-pressed\":`false`,\"data-fi" +
  "lter\":t},n);return r.addEventListener(`click`,()=>{let i=e.filters.get(t),a=!i?.delete(n);" +
  "a&&i?.add(n),r.setAttribute(`aria-pressed`,String(a)),b(e)}),r}function w(e){let t=documen" +
  "t.getElementById(`axes`),[n]=e.axes;if(!t||!n)return;let[r,i]=n;for(let n of[`y`,`x`]){let" +
  " a=v(`select`,{id:`axis-${n}`});for(let t of e.data.view.measures){if(n===`y`&&t.role!==`q" +
  "uality`)continue;let e=v(`option`,{value:t.id},t.name);e.selected=t.id===i[n],a.append(e)}" +
  "a.addEventListener(`change`,()=>{e.axes.set(r,{...e.axes.get(r)??i,[n]:a.value}),b(e)});le" +
  "t o=v(`label`,{},n===`y`?`up`:`across`);o.append(a),t.append(o)}}function T(e){let t=v(`di" +
  "v`,{id:`record`,role:`tooltip`,hidden:``});document.body.append(t,v(`div`,{id:`note`,role:" +
  "`status`,hidden:``}));let n=null,r=n=>{let r=E(n),i=e.rows.get(r?.getAttribute(`data-point" +
  "`)??``);D(i?.id??null),t.hidden=!0,r&&i&&r.closest(`svg`)&&O(t,r,i)};document.addEventList" +
  "ener(`pointermove`,e=>{e.pointerType!==`touch`&&r(e)}),document.addEventListener(`focusin`" +
  ",r),document.addEventListener(`click`,t=>{let i=E(t),a=i?.closest(`svg`)?i:null,o=e.rows.g" +
  "et(a?.getAttribute(`data-point`)??``),s=t.pointerType===`touch`&&n!==a;n=a,s||!o?r(t):k(o)" +
  "})}function E(e){if(!(e.target instanceof Element))return null;let t=e.target.closest(`svg" +
  ".chart`);if(!t||!(e instanceof MouseEvent))return e.target.closest(`[data-point]`);let n=n" +
  "ull,r=18;for(let i of t.querySelectorAll(`g[data-point]:not(.out)`)){let t=(i.querySelecto" +
  "r(`.mark`)??i).getBoundingClientRect(),[a,o]=[(t.left+t.right)/2,(t.top+t.bottom)/2],s=Mat" +
  "h.hypot(e.clientX-a,e.clientY-o);s>=r||(r=s,n=i)}return n}function D(e){for(let t of docum" +
  "ent.querySelectorAll(`.lit`))t.getAttribute(`data-point`)!==e&&t.classList.remove(`lit`);i" +
  "f(e!==null)for(let t of document.querySelectorAll(`[data-point=\"${e}\"]`))t.classList.add(`" +
  "lit`)}function O(e,t,n){let[r=``,...i]=n.lines,a=n.command===null?[]:[`click to copy its c" +
  "ommand`];e.replaceChildren(v(`b`,{},r),...i.map(e=>v(`div`,{},e)),...a.map(e=>v(`div`,{cla" +
  "ss:`action`},e))),e.hidden=!1;let o=(t.querySelector(`.mark`)??t).getBoundingClientRect()," +
  "s=document.documentElement.clientWidth,c=o.right+12+e.offsetWidth>s?o.left-12-e.offsetWidt" +
  "h:o.right+12,l=Math.min(o.top-8,window.innerHeight-e.offsetHeight-8);e.style.left=`${Math." +
  "max(8,Math.min(c,s-e.offsetWidth-8))}px`,e.style.top=`${Math.max(8,l)}px`}function k(e){if" +
  "(e.command===null){j(`This is the original: there is nothing to run.`,``);return}let{comma" +
  "nd:t}=e,n=()=>j(`Copied:`,t),r=()=>j(A(t)?`Copied:`:`Copy this:`,t);navigator.clipboard?na" +
  "vigator.clipboard.writeText(t).then(n,r):r()}function A(e){let t=v(`textarea`,{class:`offs" +
  "creen`});t.value=e;let n=document.activeElement;document.body.append(t),t.select();let r=d" +
  "ocument.execCommand(`copy`);return t.remove(),(n instanceof HTMLElement||n instanceof SVGE" +
  "lement)&&n.focus(),r}function j(e,t){let n=document.getElementById(`note`);if(!n)return;le" +
  "t r=String(Number(n.dataset.number??0)+1);n.dataset.number=r,n.replaceChildren(e,` `,v(`co" +
  "de`,{},t)),n.hidden=!1,setTimeout(()=>{n.dataset.number===r&&(n.hidden=!0)},5e3)}function " +
  "M(e){document.addEventListener(`keydown`,t=>{let n=document.getElementById(`record`);t.key" +
  "===`Escape`&&n&&(n.hidden=!0);let r=document.activeElement?.closest(`svg [data-point]`),i=" +
  "e.rows.get(r?.getAttribute(`data-point`)??``);if(!r||!i)return;(t.key===`Enter`||t.key===`" +
  " `)&&k(i);let a={ArrowRight:1,ArrowDown:1,ArrowLeft:-1,ArrowUp:-1}[t.key];if((t.key===`Ent" +
  "er`||t.key===` `||a!==void 0)&&t.preventDefault(),a===void 0)return;let o=e=>e.getBounding" +
  "ClientRect().left,s=[...r.closest(`svg`)?.querySelectorAll(`g[data-point]:not(.out)`)??[]]" +
  ".sort((e,t)=>o(e)-o(t)),c=s[s.indexOf(r)+a];c&&(r.setAttribute(`tabindex`,`-1`),c.setAttri" +
  "bute(`tabindex`,`0`),c.focus())})}function N(){let e=document.querySelector(`#figures tabl" +
  "e`),t=e?.querySelector(`tbody`);if(!e||!t)return;let n=[...t.rows],r=[...e.querySelectorAl" +
  "l(`thead th`)];for(let[e,i]of r.entries()){let a=v(`button`,{type:`button`},i.textContent?" +
  "?``);i.replaceChildren(a),a.addEventListener(`click`,()=>{let a=P(i.getAttribute(`aria-sor" +
  "t`));for(let e of r)e.removeAttribute(`aria-sort`);a!==null&&i.setAttribute(`aria-sort`,a)" +
  ",t.classList.toggle(`sorted`,a!==null),t.append(...a===null?n:F(n,e,a))})}}function P(e){r" +
  "eturn e===null?`descending`:e===`descending`?`ascending`:null}function F(e,t,n){let r=n===" +
  "`ascending`?1:-1,i=e=>e.cells[t]?.textContent??``,a=e=>Number.parseFloat(e.cells[t]?.datas" +
  "et.value??``);return[...e].sort((e,n)=>{let[o,s]=[a(e),a(n)];return t===0?r*i(e).localeCom" +
  "pare(i(n),`en`,{numeric:!0}):Number.isNaN(o)||Number.isNaN(s)?Number(Number.isNaN(o))-Numb" +
  "er(Number.isNaN(s)):r*(o-s)})}function I(e){let t=document.querySelector(`#figures table`)" +
  ";t?.querySelector(`thead tr`)?.append(v(`td`,{}));for(let n of t?.querySelectorAll(`tbody " +
  "tr`)??[]){let t=v(`td`,{});n.append(t);let r=e.rows.get(n.dataset.point??``);if(!r||r.comm" +
  "and===null)continue;let i=v(`button`,{type:`button`,class:`copy`,\"aria-label\":`copy comman" +
  "d of ${r.name}`},`copy`);i.addEventListener(`click`,()=>k(r)),t.append(i)}}let L=[`model`," +
  "`method`,`bits`];function R(e){let t={data:e,rows:new Map(e.view.rows.map(e=>[e.id,e])),fi" +
  "lters:new Map(L.map(e=>[e,/* @__PURE__ */ new Set])),axes:new Map(Object.entries(e.charts)" +
  ".map(([e,{x:t,y:n}])=>[e,{x:t,y:n}]))};S(t),w(t),N(),I(t),T(t),M(t),b(t)}let z=document.ge" +
  "tElementById(`data`)?.textContent;z&&R(JSON.parse(z))})();";
